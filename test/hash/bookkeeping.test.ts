import fc from 'fast-check'
import { expiresAtMs, parseBookkeeping } from '../../src/hash/bookkeeping.js'
import { anyText } from '../support/any-text.js'

const base36 = (digits: number) => fc.bigInt({ min: 0n, max: 36n ** BigInt(digits) - 1n }).map((n) => n.toString(36))
const FLAGS = 'XKEYZMSsLTNPOoehpn'
const flagSets = fc.subarray([...FLAGS], { maxLength: 16 }).map((flags) => flags.join(''))

test('any six words are read as what they stand for', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 4_000_000_000_000_000 }),
      fc.nat(),
      fc.nat(),
      fc.nat(),
      flagSets,
      fc.option(fc.nat(), { nil: undefined }),
      (createdUs, seen, idleMs, saves, flags, size) => {
        const words = [createdUs, seen, idleMs, saves].map((n) => n.toString(36))
        const text = [...words, ...(flags && [flags]), ...(size === undefined ? [] : [`#${size.toString(36)}`])].join(
          ' ',
        )
        const createdAtMs = Math.floor(createdUs / 1000)
        expect(parseBookkeeping(text)).toEqual({
          created: words[0],
          saves: words[3],
          createdAtMs,
          seenAtMs: createdAtMs + seen,
          idleMs,
          flags: [...flags].filter((flag) => !'EKXYZ'.includes(flag)).join(''),
          size,
          unexpiring: flags.includes('X'),
          isKept: flags.includes('K'),
          hasEnded: flags.includes('E'),
          hasMoved: flags.includes('Z'),
          isArriving: flags.includes('Y'),
          isOrdinary: !/[EKXYZ]/.test(flags),
          text,
        })
      },
    ),
  )
})

test.each([
  [undefined],
  [null],
  [''],
  ['1 2 3'],
  ['1 2 3 4 '],
  [' 1 2 3 4'],
  ['1  2 3 4'],
  ['1 2 3 4\n'],
  ['1 2 3 A'],
  ['-1 2 3 4'],
  ['1.5 2 3 4'],
  ['1 2 3 4 #'],
  ['1 2 3 4 #2s M'],
  ['1 2 3 4 M M'],
  ['1 2 3 4 M #2s #2s'],
  ['0123456789abc 2 3 4'],
  [`1 2 3 4 ${'M'.repeat(17)}`],
  ['NaN 2 3 4'],
  ['{"created":1}'],
])('%j is no bookkeeping', (text) => {
  expect(parseBookkeeping(text)).toBeNull()
})

test('whatever stands there, every number that is read is a safe integer', () => {
  const words = fc.oneof(base36(12), base36(10), anyText({ maxLength: 3 }))
  fc.assert(
    fc.property(fc.array(words, { maxLength: 6 }), (parts) => {
      const meta = parseBookkeeping(parts.join(' '))
      if (meta === null) return
      for (const n of [meta.createdAtMs, meta.seenAtMs, meta.idleMs, meta.size ?? 0])
        expect(n).toBeGreaterThanOrEqual(0)
      for (const n of [meta.createdAtMs, meta.seenAtMs, meta.idleMs, meta.size ?? 0])
        expect(Number.isSafeInteger(n)).toBe(true)
    }),
  )
})

describe('a session ends', () => {
  // The session was created at 1000 s and seen 5 s later; its idle timeout is 60 s.
  const meta = parseBookkeeping([1000_000_000, 5000, 60_000, 1].map((n) => n.toString(36)).join(' '))
  if (meta === null) throw new Error('unreadable')

  test('when it has been idle for its idle timeout', () => {
    expect(expiresAtMs(meta, undefined)).toBe(1_065_000)
  })
  test('no later than absoluteTimeout after it began', () => {
    expect(expiresAtMs(meta, 30_000)).toBe(1_030_000)
    expect(expiresAtMs(meta, 300_000)).toBe(1_065_000)
  })
})
