import type { Io } from '../../src/cli/io.js'
import { lineOf, Progress } from '../../src/cli/output/progress.js'

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

describe('a bar', () => {
  beforeEach(() => void jest.useFakeTimers())
  afterEach(() => void jest.useRealTimers())

  function draw(isWatched: boolean, ms: number): string[] {
    const drawn: string[] = []
    const io = { isWatched, columns: 30, err: (text: string) => void drawn.push(text) } as Partial<Io> as Io
    const progress = new Progress(io, 'session', () => ({ part: 0.5, count: 10 }))
    jest.advanceTimersByTime(ms)
    progress.end()
    jest.advanceTimersByTime(1000)
    return drawn
  }

  test('is drawn where somebody watches, fits the terminal, and is removed', () => {
    const drawn = draw(true, 800)
    expect(drawn.length).toBeGreaterThan(2)
    expect(drawn[0]).toBe('\r\x1b[K[##########----------]  50 % ')
    expect(drawn.at(-1)).toBe('\r\x1b[K')
  })

  test('is not drawn for a short walk, and not where nobody watches', () => {
    expect([draw(true, 300), draw(false, 5000)]).toEqual([[], []])
  })
})
