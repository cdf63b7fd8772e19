import type { CookieOptions } from 'express-session'
import { asJson, type Data, type Subject } from './subject.js'

const HOUR = 3_600_000
const LONG_DOMAIN = `${'label.'.repeat(30)}example.com`

/** Cookies as the `cookie` option of express-session describes them. */
const OPTIONS: [what: string, options: CookieOptions][] = [
  ['the defaults', {}],
  ['maxAge', { maxAge: HOUR }],
  ['a fractional maxAge', { maxAge: 1_234_567.89 }],
  ['a maxAge of ten years', { maxAge: 10 * 365 * 24 * HOUR }],
  ['expires', { expires: new Date(Date.now() + HOUR) }],
  ['expires null', { expires: null }],
  ['expires false', { expires: false as never }],
  ['secure', { secure: true }],
  ['secure false', { secure: false }],
  ['httpOnly false', { httpOnly: false }],
  ['sameSite true', { sameSite: true }],
  ['sameSite false', { sameSite: false }],
  ['sameSite lax', { sameSite: 'lax' }],
  ['sameSite strict', { sameSite: 'strict' }],
  ['sameSite none', { sameSite: 'none', secure: true }],
  ['path', { path: '/admin' }],
  ['domain', { domain: 'example.com' }],
  ['a long domain', { domain: LONG_DOMAIN }],
  ['partitioned', { partitioned: true, secure: true }],
  ['partitioned false', { partitioned: false }],
  ['priority low', { priority: 'low' }],
  ['priority medium', { priority: 'medium' }],
  ['priority high', { priority: 'high' }],
  [
    'everything at once',
    {
      maxAge: HOUR,
      secure: true,
      httpOnly: false,
      sameSite: 'strict',
      path: '/app',
      domain: LONG_DOMAIN,
      partitioned: true,
      priority: 'high',
    },
  ],
]

/** Cookies that applications and tests write by hand. */
const PLAIN: [what: string, cookie: Record<string, unknown>][] = [
  ['no attribute', {}],
  ['maxAge', { maxAge: HOUR }],
  ['a text that is no date for expires', { expires: 'tomorrow', path: '/' }],
  ['expires alone', { expires: new Date(Date.now() + HOUR).toISOString() }],
  ['expires in milliseconds', { expires: Date.now() + HOUR, originalMaxAge: HOUR }],
  ['expires null beside originalMaxAge', { originalMaxAge: HOUR, expires: null, httpOnly: true, path: '/' }],
  ['originalMaxAge alone', { originalMaxAge: HOUR }],
  ['originalMaxAge that is not what expires says', { originalMaxAge: 5000, expires: '2099-01-01T00:00:00.000Z' }],
  ['an expiry a century ahead', { originalMaxAge: null, expires: '2199-01-01T00:00:00.000Z', path: '/' }],
  ['attributes nobody knows', { path: '/', flavour: 'chocolate', nested: { a: [1] } }],
  ['null for everything', { originalMaxAge: null, expires: null, httpOnly: null, path: null, secure: null }],
  ['sameSite in capitals', { sameSite: 'Lax', priority: 'HIGH' }],
  ['attributes in Emoji', { path: `/${'🍪'.repeat(200)}`, domain: `a${'🍪'.repeat(200)}` }],
  ['attributes in Unicode', { path: '/ünï/🍪', domain: `${'ö'.repeat(100)}.example` }],
]

type Loose = Record<string, unknown>

export function cookies(subject: Subject): void {
  let beganMs = 0
  beforeEach(() => {
    beganMs = Date.now()
  })

  /** Reads the stored cookie. `expires` is compared separately, because a store may derive it. */
  function expectSame(stored: unknown, live: unknown): void {
    const { expires, ...rest } = stored as Loose
    const { expires: wanted, ...wantedRest } = asJson(live) as Loose
    // Both were made since the test began. A busy machine may take seconds for it.
    const takenMs = 2 + Date.now() - beganMs
    // express-session reads the clock twice for one maxAge, so the result may be a little short.
    const drift = Number(rest.originalMaxAge) - Number(wantedRest.originalMaxAge)
    if (Math.abs(drift) <= takenMs) rest.originalMaxAge = wantedRest.originalMaxAge
    expect(rest).toStrictEqual(wantedRest)
    if (typeof wanted !== 'string' || subject.is.expiresOfLiveCookie === 'as saved') expect(expires).toBe(wanted)
    else expect(Math.abs(Date.parse(expires as string) - Date.parse(wanted))).toBeLessThanOrEqual(takenMs)
  }

  test.each(OPTIONS)('a cookie with %s is restored exactly', async (_what, options) => {
    const live = subject.live('a', { user: 'ann' }, options)
    await subject.set('a', live)
    expectSame((await subject.get('a'))?.cookie, live.cookie)
  })

  test.each(OPTIONS)('a cookie with %s sends the same Set-Cookie after loading', async (_what, options) => {
    const live = subject.live('a', { user: 'ann' }, options)
    const header = (of: typeof live) =>
      (of.cookie as unknown as { serialize(name: string, value: string): string })
        .serialize('sid', 'x')
        .replace(/Expires=[^;]+/, 'Expires=…')
    await subject.set('a', live)
    const loaded = await subject.load('a')
    expect(header(loaded as typeof live)).toBe(header(live))
    expect(loaded?.cookie.originalMaxAge).toBe(live.cookie.originalMaxAge)
  })

  test.each(OPTIONS)('a cookie with %s is unchanged by a touch', async (_what, options) => {
    const live = subject.live('a', { user: 'ann' }, options)
    await subject.set('a', live)
    const loaded = (await subject.load('a'))!
    await subject.touch('a', loaded.touch())
    expectSame((await subject.get('a'))?.cookie, loaded.cookie)
  })

  test.each(OPTIONS)('a touch alone gives a session a cookie with %s', async (_what, options) => {
    await subject.set('a', subject.live('a', { user: 'ann' }, { maxAge: 2 * HOUR, domain: 'before.example' }))
    const loaded = (await subject.load('a'))!
    loaded.cookie = subject.live('b', {}, options).cookie
    await subject.touch('a', loaded)
    const stored = await subject.get('a')
    expectSame(stored?.cookie, loaded.cookie)
    expect(stored?.user).toBe('ann')
  })

  test.each(PLAIN)('a plain cookie with %s is restored exactly', async (_what, cookie) => {
    await subject.set('a', { cookie, user: 'ann' })
    expect(await subject.get('a')).toStrictEqual({ cookie, user: 'ann' })
  })

  test.each(PLAIN)('a plain cookie with %s survives a touch with the data get gave', async (_what, cookie) => {
    await subject.set('a', { cookie, user: 'ann' })
    await subject.touch('a', (await subject.get('a')) as Data)
    const stored = (await subject.get('a')) as Data
    expect({ ...stored.cookie, expires: 0 }).toStrictEqual({ ...cookie, expires: 0 })
    expect('expires' in stored.cookie!).toBe('expires' in cookie)
  })

  test('a long cookie is restored from a large session', async () => {
    const properties = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`p${i}`, 'x'.repeat(100)]))
    const live = subject.live('a', properties, { maxAge: HOUR, domain: `${'label.'.repeat(150)}example`, path: '/app' })
    await subject.set('a', live)
    expectSame((await subject.get('a'))?.cookie, live.cookie)
  })

  test('data without a cookie comes back without one', async () => {
    await subject.set('a', { user: 'ann' })
    expect(await subject.get('a')).toStrictEqual({ user: 'ann' })
    expect(await subject.length()).toBe(1)
  })

  test('data without a cookie becomes a session of a request, or an exception', async () => {
    await subject.set('a', { user: 'ann' })
    const data = await subject.get('a')
    const create = () =>
      subject.store.createSession({ sessionID: 'a', sessionStore: subject.store } as never, data as never)
    if (subject.is.withoutCookie === 'createSession throws') {
      expect(create).toThrow(TypeError)
    } else {
      expect(create()).toMatchObject({ user: 'ann', cookie: { path: '/', httpOnly: true, maxAge: null } })
    }
  })

  test('__proto__ in a cookie gives it no other prototype', async () => {
    await subject.set('a', { cookie: JSON.parse('{"path":"/","__proto__":{"secure":true}}') })
    const stored = (await subject.get('a')) as Data
    expect(stored.cookie?.secure).toBeUndefined()
    expect(Object.getPrototypeOf(stored.cookie)).toBe(Object.prototype)
  })
}
