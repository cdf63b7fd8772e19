import { ago } from '../../src/pages/ago.js'

const NOW = new Date('2026-11-21T12:00:00Z')

test.each([
  // Another process's clock may be ahead.
  [-5, 'a moment ago'],
  [59, 'a moment ago'],
  [60, '1 minute ago'],
  [3599, '59 minutes ago'],
  [3600, '1 hour ago'],
  [7200, '2 hours ago'],
  [86_399, '23 hours ago'],
  [86_400, '1 day ago'],
  [30 * 86_400, '30 days ago'],
])('%d seconds before now is %s', (seconds, words) => {
  expect(ago(new Date(NOW.getTime() - seconds * 1000), NOW)).toBe(words)
})
