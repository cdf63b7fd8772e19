// Enhancements only: every page works without JavaScript.

// A visitor without a session adds the first tea: get a token, then send the form that a later page would have shown.
for (const form of document.querySelectorAll('form[data-add]')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    addFirst(form).catch(() => form.submit())
  })
}

async function addFirst(form) {
  const response = await fetch('/csrf', { headers: { accept: 'application/json' } })
  if (!response.ok) throw new Error(response.statusText)
  const { token } = await response.json()
  for (const [name, value] of Object.entries({ _csrf: token, tea: form.dataset.add })) {
    const input = document.createElement('input')
    Object.assign(input, { type: 'hidden', name, value })
    form.append(input)
  }
  form.method = 'post'
  form.action = '/cart/add'
  form.submit()
}

// Show the time that this session has left.
const clock = document.querySelector('.ttl')
if (clock) {
  const end = performance.now() + Number(clock.dataset.seconds) * 1000
  everySecond(() => {
    const left = Math.max(0, Math.round((end - performance.now()) / 1000))
    clock.textContent = left > 0 ? duration(left) : 'over'
  })
}

// Show the time since the password was typed.
const age = document.querySelector('.age')
if (age) {
  const begin = performance.now() - Number(age.dataset.seconds) * 1000
  const bar = document.querySelector('.age-bar')
  everySecond(() => {
    const seconds = Math.floor((performance.now() - begin) / 1000)
    age.textContent = elapsed(seconds)
    if (bar) bar.value = seconds
  })
}

function everySecond(show) {
  show()
  setInterval(show, 1000)
}

function elapsed(seconds) {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}

function duration(seconds) {
  const days = Math.floor(seconds / 86400)
  const parts = [Math.floor((seconds % 86400) / 3600), Math.floor((seconds % 3600) / 60), seconds % 60]
  const [hours, minutes, rest] = parts.map((part) => String(part).padStart(2, '0'))
  if (days > 0) return `${days} d ${hours}:${minutes}:${rest}`
  return hours === '00' ? `${minutes}:${rest}` : `${hours}:${minutes}:${rest}`
}
