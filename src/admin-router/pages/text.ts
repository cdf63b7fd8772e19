import { printable } from '../../cli/output/printable.js'
import { ago } from '../../pages/ago.js'
import { type Html, html } from '../../pages/html.js'
import { queryOf } from '../entry-asked.js'

/** A text of an application or a visitor: what would turn the direction of text, or hide it, is written as `\u202e`. */
export const shown = printable

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const

/** A past time as `3 hours ago`. */
export function timeAgo(at: Date | null): Html {
  if (at === null) return html`<span class="soft">unknown</span>`
  return html`<time datetime="${at.toISOString()}" title="${utc(at)}">${ago(at, new Date())}</time>`
}

/** A coming time as `in 3 hours`. */
export function timeUntil(at: Date | null): Html {
  if (at === null) return html`<span>never</span>`
  return html`<time datetime="${at.toISOString()}" title="${utc(at)}">${inText(at.getTime() - Date.now())}</time>`
}

function inText(ms: number): string {
  for (const [unit, size] of UNITS) {
    const count = Math.floor(ms / size)
    if (count >= 1) return `in ${count} ${unit}${count === 1 ? '' : 's'}`
  }
  return 'in a moment'
}

/** A time in UTC, because only a script in the browser would know the visitor's time zone. */
export function utc(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** A time in UTC as an element, which stays on one line inside a sentence. */
export function utcTime(at: Date): Html {
  return html`<time datetime="${at.toISOString()}">${utc(at)}</time>`
}

/** Index values, each a link to the sessions that have it. */
export function indexLinks(indexes: Readonly<Record<string, readonly string[]>>, base: string): Html {
  const links = Object.entries(indexes).flatMap(([index, values]) =>
    values.map(
      (value) =>
        html`<a class="chip" href="${base}sessions${queryOf({ index, value })}"><span class="soft">${index}</span> ${shown(value)}</a>`,
    ),
  )
  return links.length === 0 ? html`<span class="soft">in no index</span>` : html`<span class="chips">${links}</span>`
}
