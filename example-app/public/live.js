// What goes on after a page is loaded. Without this script, the pages show how things were when they were made.

const log = document.querySelector('.log[data-stream]')
if (log) follow(log)

/** Puts new events on top of the log. */
function follow(list) {
  const MOST = 50
  const state = document.querySelector('.log-state')
  const stream = new EventSource(`${list.dataset.stream}?after=${list.dataset.last}`)
  stream.addEventListener('open', () => show(state, 'live', 'Live: new events appear by themselves.'))
  stream.addEventListener('error', () => {
    // A browser gives up when it is refused, because there are too many others.
    const isOver = stream.readyState === EventSource.CLOSED
    show(state, 'off', isOver ? 'Too many others are watching: look again later.' : 'Interrupted, trying again…')
  })
  stream.addEventListener('message', ({ data }) => {
    list.prepend(eventItem(JSON.parse(data), list.dataset.own))
    while (list.children.length > MOST) list.lastElementChild.remove()
  })
  addEventListener('pagehide', () => stream.close())
}

function eventItem({ at, event, handle, text }, own) {
  const item = element('li', `event event-${event} event-new`)
  const time = element('time', '', at.slice(11, 19))
  time.dateTime = at
  const about = element('span', 'event-about')
  if (handle) about.append(element('code', '', handle), ' ')
  if (handle && handle === own) about.append(element('span', 'tag', 'yours'), ' ')
  about.append(text)
  item.append(time, ' ', element('strong', '', event), ' ', about)
  return item
}

const panel = document.querySelector('[data-socket]')
if (panel) connect(panel, 0)

const SESSION_ENDED = 4001
const REASONS = {
  destroyed: 'it was logged out',
  revoked: 'it was logged out from elsewhere',
  expired: 'nobody used it for too long',
  evicted: 'you have too many',
  mismatch: 'it turned up in another browser and another network',
  reuse: 'a stolen copy of it turned up',
}

/** Keeps a socket open that closes when the session ends. */
function connect(panel, failures) {
  const state = panel.querySelector('.connection-state')
  const socket = new WebSocket(new URL(panel.dataset.socket, location.href).href.replace(/^http/, 'ws'))
  let opened = false
  if (failures === 0) show(state, 'off', 'Connecting…')
  socket.addEventListener('open', () => {
    opened = true
    show(state, 'live', 'Connected')
  })
  socket.addEventListener('close', ({ code, reason }) => {
    // After a login the browser has a new cookie, and comes back with it.
    if (code === SESSION_ENDED && reason !== 'rotated') return sessionEnded(state, reason)
    const after = opened ? 0 : failures + 1
    if (after > 5) return show(state, 'off', 'No connection. Reload the page to try again.')
    show(state, 'off', 'Interrupted, trying again…')
    setTimeout(() => connect(panel, after), 500 * 2 ** after)
  })
}

function sessionEnded(state, reason) {
  show(state, 'over', `This session has ended: ${REASONS[reason] ?? 'it is over'}. `)
  const link = element('a', '', 'Log in again')
  link.href = '/login?to=%2Faccount'
  state.append(link)
}

function show(state, kind, text) {
  state.dataset.state = kind
  state.textContent = text
}

function element(name, className, text = '') {
  return Object.assign(document.createElement(name), { className, textContent: text })
}
