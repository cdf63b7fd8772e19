import fc from 'fast-check'
import { type Bookkeeping, parseBookkeeping } from '../../src/hash/bookkeeping.js'
import { encodeCookie, isCookieField, restoreCookie } from '../../src/hash/cookie.js'
import type { PlainCookie } from '../../src/hash/live-cookie.js'

const IDLE_MS = 3_600_000
const SEEN_AT_MS = 1_700_000_000_000
const EXPIRES = new Date(SEEN_AT_MS + IDLE_MS).toISOString()

/** The bookkeeping of a session with these flags that was seen at `SEEN_AT_MS`. */
function metaWith(flags: string): Bookkeeping {
  const words = [SEEN_AT_MS * 1000, 0, IDLE_MS, 1].map((n) => n.toString(36))
  const meta = parseBookkeeping([...words, ...(flags && [flags])].join(' '))
  if (meta === null) throw new Error(`unreadable flags: ${flags}`)
  return meta
}

/** Joins the pieces as hash/decode.ts does if no pieces of another cookie are left. */
function restText(fields: [string, string][]): string {
  return fields
    .map(([, text]) => text)
    .join('')
    .replace(/^\d+:/, '')
}

function roundTrip(cookie: PlainCookie | undefined, literal = true): PlainCookie | undefined {
  const { flags, fields } = encodeCookie(cookie, IDLE_MS, literal)
  return restoreCookie(metaWith(flags), restText(fields))
}

const text = fc.string({ unit: 'grapheme' })
const cookies: fc.Arbitrary<PlainCookie> = fc.record(
  {
    originalMaxAge: fc.oneof(fc.constant(null), fc.constant(IDLE_MS), fc.nat()),
    expires: fc.oneof(fc.constantFrom(null, EXPIRES, false as const), fc.nat(), text),
    httpOnly: fc.boolean(),
    path: text,
    domain: text,
    secure: fc.boolean(),
    sameSite: fc.oneof(fc.boolean(), fc.constantFrom('lax', 'strict', 'none'), text),
    partitioned: fc.boolean(),
    priority: fc.constantFrom('low', 'medium', 'high'),
  },
  { requiredKeys: [] },
)

test('any cookie whose expires is kept to the millisecond comes back as it was', () => {
  fc.assert(
    fc.property(cookies, (cookie) => {
      // An originalMaxAge without `expires` gets one, derived from it.
      fc.pre(typeof cookie.originalMaxAge !== 'number' || cookie.expires !== undefined)
      expect(roundTrip(cookie)).toEqual(cookie)
    }),
  )
})

test('any cookie that slides comes back with the expires that the session has', () => {
  fc.assert(
    fc.property(cookies, (cookie) => {
      const sliding = { ...cookie, originalMaxAge: IDLE_MS, expires: '2020-01-01T00:00:00.000Z' }
      expect(roundTrip(sliding, false)).toEqual({ ...sliding, expires: EXPIRES })
    }),
  )
})

test('a session without a cookie has none afterwards', () => {
  expect(encodeCookie(undefined, IDLE_MS, false)).toEqual({ flags: 'O', fields: [] })
  expect(roundTrip(undefined)).toBeUndefined()
})

test('the cookies of nearly all sites are flags alone', () => {
  const base: PlainCookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
  const usual: PlainCookie[] = [
    base,
    { ...base, secure: true, sameSite: 'lax' },
    { ...base, secure: false, sameSite: 'strict', partitioned: true },
    { ...base, originalMaxAge: IDLE_MS, expires: EXPIRES, sameSite: 'none' },
  ]
  expect(usual.map((cookie) => encodeCookie(cookie, IDLE_MS, false))).toEqual(
    ['', 'SL', 'sTP', 'MN'].map((flags) => ({ flags, fields: [] })),
  )
})

test('every field of a cookie is under 64 bytes, and a cookie field', () => {
  fc.assert(
    fc.property(cookies, text, (cookie, domain) => {
      const { flags, fields } = encodeCookie({ ...cookie, domain: domain.repeat(9) }, IDLE_MS, false)
      for (const [field, piece] of fields) {
        expect(isCookieField(field)).toBe(true)
        expect(Buffer.byteLength(piece)).toBeLessThan(64)
      }
      expect(flags).toMatch(/^[A-Za-z]{0,16}$/)
    }),
  )
})

test('only @cookie and its pieces are cookie fields', () => {
  expect(['@cookie', '@cookie.1', '@cookie.12', '@cookies', '@', 'cookie', '@@cookie'].map(isCookieField)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ])
})

test.each(['[]', 'null', '7', '{', '"text"', '{"originalMaxAge":"60000"}', '{"maxAge":{}}'])(
  'the text %s is no cookie that express-session could use',
  (rest) => {
    expect(() => restoreCookie(metaWith(''), rest)).toThrow(SyntaxError)
  },
)

test('a planted prototype is dropped', () => {
  const cookie = restoreCookie(metaWith(''), '{"__proto__":{"secure":false},"domain":"a"}')
  expect(cookie).toEqual({ originalMaxAge: null, expires: null, httpOnly: true, path: '/', domain: 'a' })
  expect(Object.getPrototypeOf(cookie)).toBe(Object.prototype)
})

test('a flag that nobody knows changes nothing', () => {
  expect(restoreCookie(metaWith('Qq'), '')).toEqual(restoreCookie(metaWith(''), ''))
})
