import { counted } from '../../cli/output/times.js'
import { html } from '../../pages/html.js'
import type { Asked } from '../entry-asked.js'
import type { PageBody, Visit } from '../visit.js'
import { shown } from './text.js'

export interface Question {
  what: { handle: string } | Pick<Asked, 'index' | 'value'> | { all: true }
  /** Where the form goes, below the router's own path, and what it says. */
  action: string
  fields: Readonly<Record<string, string>>
  /** Where somebody goes who does not want it. */
  back: string
  count: number
  /** Whether all have been counted. */
  isWhole: boolean
}

/** Asks before sessions are ended, and says how many. */
export function confirmPage({ base }: Visit, question: Question): PageBody {
  const { what, action, fields, back, count, isWhole } = question
  const number = `${isWhole ? '' : 'more than '}${counted(count, 'session')}`
  const title = count === 0 ? 'There is nothing to end' : `End ${'handle' in what ? 'this session' : number}?`
  const hidden = Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )
  const body = html`<h1>${title}</h1>
<p class="lead">${whose(what)}</p>
<div class="actions">
${
  count === 0
    ? ''
    : html`<form method="post" action="${base}${action}">
${hidden}
<button class="strong">End ${'handle' in what || count === 1 ? 'the session' : number}</button>
</form>`
}
<a class="button" href="${base}${back}">Leave it</a>
</div>`
  return { title, at: 'sessions', body }
}

function whose(what: Question['what']): string {
  if ('all' in what)
    return 'Every visitor is logged out at once, in every process, and so are you if your login is among them. This cannot be undone.'
  if ('handle' in what)
    return `This logs out the user of session ${what.handle.slice(0, 8)} at once. This cannot be undone.`
  return `Everybody with ${what.index} ${shown(what.value)} is logged out at once, in every process. This cannot be undone.`
}
