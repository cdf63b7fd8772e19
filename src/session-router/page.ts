import { type Html, html } from '../pages/html.js'
import type { DevicePage, DevicePageSession } from './device-page.js'
import type { SessionRouterTexts } from './texts.js'

/** Renders the list of sessions as an HTML page that needs no script. */
export function pageOf(page: DevicePage): string {
  const { sessions, more, others, styleUrl, back, ended, lang, dir, texts } = page
  const arrow = dir === 'rtl' ? '→' : '←'
  return html`<!doctype html>
<html lang="${lang}"${dir === 'rtl' ? html` dir="rtl"` : ''}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${texts.title}</title>
<link rel="stylesheet" href="${styleUrl}">
</head>
<body>
<main>
${back === undefined ? '' : html`<p class="back"><a href="${back}"><span aria-hidden="true">${arrow}</span> ${texts.back}</a></p>`}
<h1>${texts.title}</h1>
<p class="lead">${texts.lead}</p>
${ended === undefined ? '' : html`<p class="notice" role="status">${texts.ended(ended)}</p>`}
<ul class="devices">
${sessions.map((session, i) => itemOf(session, `device-${i}`, page))}
</ul>
${more === 0 ? '' : html`<p class="more">${texts.more(more)}</p>`}
${others === 0 ? html`<p class="alone">${texts.alone}</p>` : endOthers(page)}
</main>
</body>
</html>
`.text
}

function itemOf(session: DevicePageSession, id: string, { endUrl, texts }: DevicePage): Html {
  const { handle, label, createdAt, deviceBound, current, number, since } = session
  const badge = current ? html` <span class="badge">${texts.thisDevice}</span>` : ''
  return html`<li class="${current ? 'device current' : 'device'}">
<div class="about" id="${id}">
<h2><bdi>${label}</bdi>${badge}</h2>
<p>${current ? texts.inUse : lastSeen(session, texts)}${deviceBound ? ` · ${texts.deviceBound}` : ''}</p>
<p>${timeIn(texts.since(since), since, createdAt)} <span class="name">${texts.number(number)}</span></p>
</div>
<form method="post" action="${endUrl}">
<input type="hidden" name="handle" value="${handle}">
<button aria-describedby="${id}">${texts.logOut}</button>
</form>
</li>`
}

function lastSeen({ lastSeen: when, seenAt }: DevicePageSession, texts: SessionRouterTexts): Html {
  return timeIn(texts.lastSeen(when), when, seenAt)
}

/** Marks a time up where it stands in a sentence. */
function timeIn(sentence: string, words: string, at: Date): Html {
  const [before, ...rest] = sentence.split(words)
  if (rest.length === 0) return html`<time datetime="${at.toISOString()}">${sentence}</time>`
  return html`${before as string}<time datetime="${at.toISOString()}">${words}</time>${rest.join(words)}`
}

function endOthers({ endOthersUrl, others, texts }: DevicePage): Html {
  return html`<form class="others" method="post" action="${endOthersUrl}">
<button class="strong">${texts.logOutOthers(others)}</button>
</form>`
}
