import fc from 'fast-check'
import {
  type Generation,
  heldAdmission,
  isAdmitted,
  latestSid,
  newSecret,
  parseGeneration,
  standingOf,
} from '../../src/hash/renewal-field.js'
import { parseSid, type Sid } from '../../src/ids/sid.js'

const FIRST = 'the-first-id'
const secret = newSecret()
const generation = (n: number, isConfirmed: boolean): Generation => ({ generation: n, sinceMs: 0, isConfirmed, secret })
const idOf = (n: number, first = FIRST): Sid =>
  n === 0 ? { first, generation: 0, proof: '' } : (parseSid(latestSid(first, generation(n, true))) as Sid)

describe('the field', () => {
  test('is read as what it stands for', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 36 ** 6 - 1 }),
        fc.nat(),
        fc.boolean(),
        fc.nat(),
        (n, sinceMs, isConfirmed, graceMs) => {
          const words = [n.toString(36), sinceMs.toString(36), isConfirmed ? 'c' : 'u', graceMs.toString(36), secret]
          expect(parseGeneration(words.join(' '))).toEqual({ generation: n, sinceMs, isConfirmed, secret })
        },
      ),
    )
  })

  test.each([
    [''],
    ['1 2 c 3'],
    [`1 2 x 3 ${secret}`],
    [`1 2 c 3 ${secret.slice(1)}`],
    [`1 2 c 3 ${secret}x`],
    [`1 2 c 3 ${secret}\n`],
    [` 1 2 c 3 ${secret}`],
    [`A 2 c 3 ${secret}`],
    [`1234567 2 c 3 ${secret}`],
    ['1 2 c 3 !!!!!!!!!!!!!!!!!!!!!!'],
  ])('%j is none', (text) => {
    expect(parseGeneration(text)).toBeNull()
  })

  test('a secret is 128 bits, and another one each time', () => {
    expect(Buffer.from(secret, 'base64url')).toHaveLength(16)
    expect(newSecret()).not.toBe(secret)
  })
})

test('the next id is derived: it comes out again, and differs by session, generation and secret', () => {
  const again = () => latestSid(FIRST, generation(2, false))
  expect(again()).toBe(again())
  const others = [
    latestSid('another-id', generation(2, false)),
    latestSid(FIRST, generation(3, false)),
    latestSid(FIRST, { ...generation(2, false), secret: newSecret() }),
  ]
  const proofs = [again(), ...others].map((id) => parseSid(id)?.proof)
  expect(new Set(proofs).size).toBe(4)
})

describe('what an id is to its session', () => {
  test.each([
    // Generation of the id, generation issued last, whether that one was confirmed, result.
    [0, undefined, false, 'current'],
    [1, undefined, false, 'unknown'],
    [0, 1, false, 'predecessor'],
    [0, 1, true, 'outdated'],
    [1, 1, false, 'successor'],
    [1, 1, true, 'current'],
    [2, 1, true, 'successor'],
    [0, 2, false, 'reused'],
    [0, 2, true, 'reused'],
    [1, 2, false, 'predecessor'],
    [1, 2, true, 'outdated'],
    [2, 5, true, 'reused'],
  ] as const)(
    'an id of generation %p, where %p was issued last (confirmed: %p), is %s',
    (n, last, isConfirmed, standing) => {
      expect(standingOf(idOf(n), last === undefined ? undefined : generation(last, isConfirmed))).toBe(standing)
    },
  )

  test('any proof that is not the one of its id and generation makes an id unknown', () => {
    const proof = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'Aa0-_'), minLength: 22, maxLength: 22 }),
      fc.constantFrom('', idOf(2).proof, idOf(1, 'another-id').proof, `${idOf(1).proof}x`, idOf(1).proof.slice(1)),
    )
    fc.assert(
      fc.property(proof, fc.boolean(), (forged, isConfirmed) => {
        const sid = { first: FIRST, generation: 1, proof: forged }
        expect(standingOf(sid, generation(1, isConfirmed))).toBe('unknown')
      }),
    )
  })

  test('a connection goes on with what has become out of date, and never with more', () => {
    for (const n of [0, 1, 2, 3]) {
      for (const isConfirmed of [true, false]) {
        const standing = standingOf(idOf(n), generation(2, isConfirmed))
        const isOld = ['outdated', 'reused', 'unknown'].includes(standing)
        expect(heldAdmission(idOf(n), generation(2, isConfirmed))).toBe(isOld ? 'superseded' : standing)
      }
    }
  })

  test('only what was used before, or never issued, gives no access', () => {
    const all = ['current', 'successor', 'predecessor', 'superseded', 'reused', 'unknown'] as const
    expect(all.filter((admission) => !isAdmitted(admission))).toEqual(['reused', 'unknown'])
  })
})
