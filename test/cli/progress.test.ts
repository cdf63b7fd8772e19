import { lineOf } from '../../src/cli/output/progress.js'

test.each([
  [{ part: undefined, count: 1200 }, '1,200 sessions  600/s'],
  [{ part: 0.5, count: 1200 }, '[##########----------]  50 %  1,200 sessions  600/s  about 2 s left'],
  [{ part: 0.001, count: 1 }, '[--------------------]   0 %  1 session  1/s'],
  [{ part: 1.2, count: 1200 }, '[####################] 100 %  1,200 sessions  600/s'],
])('progress of %j', (now, line) => {
  expect(lineOf('session', { part: 0, count: 0 }, now, 2000)).toBe(line)
})

test('an estimate counts from where the walk went on', () => {
  const line = lineOf('session', { part: 0.5, count: 1000 }, { part: 0.75, count: 1500 }, 5000)
  expect(line).toMatch(/ 75 % {2}1,500 sessions {2}100\/s {2}about 5 s left$/)
})
