import { setTimeout as sleep } from 'node:timers/promises'
import type { CookieOptions } from 'express-session'
import request, { type Response } from 'supertest'
import { unlessStalled } from '../support/unless-stalled.js'
import { describeEverywhere, json, type Route, setCookies } from './web-app.js'

const HOUR = 3_600_000
const WEEK = 7 * 24 * HOUR

/** When the session cookie of this response ends, in milliseconds from now; undefined for a browser-session cookie. */
function lifetime(response: Response): number | undefined {
  const expires = /; Expires=([^;]+)/.exec(setCookies(response)[0] ?? '')?.[1]
  return expires === undefined ? undefined : Date.parse(expires) - Date.now()
}

const about = (ms: number) => ({ min: ms - 5000, max: ms })
function expectAbout(actual: unknown, ms: number): void {
  const { min, max } = about(ms)
  expect(actual).toBeGreaterThanOrEqual(min)
  expect(actual).toBeLessThanOrEqual(max)
}

/** `?ms=` sets the maxAge of this visitor's cookie only; `?ms=none` removes it. */
const remember: Route = (req, res) => {
  const ms = new URL(req.url, 'http://x').searchParams.get('ms')
  req.session.cookie.maxAge = (ms === 'none' ? null : Number(ms)) as number
  res.end()
}
const originalMaxAge: Route = (req, res) => json(res, { originalMaxAge: req.session.cookie.originalMaxAge })
const routes = { '/remember': remember, '/max-age': originalMaxAge }

describeEverywhere((site) => {
  test('without maxAge the cookie has no end, whatever changes', async () => {
    const visitor = site.visitor()
    const first = await visitor.get('/put?n=1')
    expect(setCookies(first)).toHaveLength(1)
    expect(lifetime(first)).toBeUndefined()
    expect(setCookies(await visitor.get('/put?n=2'))).toEqual([])
  })

  test('maxAge: the cookie ends with it, and is sent anew when the session changes, not when it is read', async () => {
    const visitor = site.visitor({ cookie: { maxAge: HOUR } })
    expectAbout(lifetime(await visitor.get('/put?n=1')), HOUR)
    expect(setCookies(await visitor.get('/'))).toEqual([])
    expectAbout(lifetime(await visitor.get('/put?n=2')), HOUR)
  })

  test.each<[string, CookieOptions]>([
    ['with', { maxAge: HOUR }],
    ['without', {}],
  ])('rolling: the cookie %s maxAge is sent at every visit', async (_with, cookie) => {
    const visitor = site.visitor({ rolling: true, cookie })
    await visitor.get('/put?n=1')
    const read = await visitor.get('/')
    expect(setCookies(read)).toHaveLength(1)
    if (cookie.maxAge === undefined) expect(lifetime(read)).toBeUndefined()
    else expectAbout(lifetime(read), cookie.maxAge)
    expect((await visitor.get('/')).body.session.n).toBe('1')
  })

  test('the attributes of the cookie are the same at every Set-Cookie', async () => {
    const cookie: CookieOptions = { httpOnly: false, sameSite: 'strict', domain: 'shop.example', priority: 'high' }
    const visitor = site.visitor({ rolling: true, name: 'shop.sid', cookie: { ...cookie, partitioned: true } })
    const first = setCookies(await visitor.get('/put?n=1'))[0]
    expect(first).toMatch(
      /^shop\.sid=s%3A.*; Domain=shop\.example; Path=\/; Partitioned; Priority=High; SameSite=Strict$/,
    )
    expect(setCookies(await visitor.get('/'))[0]).toBe(first)
    expect(setCookies(await visitor.get('/put?n=2'))[0]).toBe(first)
  })

  test('the cookie option may be a function of the request', async () => {
    const cookie = (req: { headers: { dnt?: string } }) => (req.headers.dnt ? {} : { maxAge: HOUR })
    const app = site.app({ cookie: cookie as never })
    expectAbout(lifetime(await request(app).get('/put?n=1')), HOUR)
    expect(lifetime(await request(app).get('/put?n=1').set('DNT', '1'))).toBeUndefined()
  })

  test('"remember me" at login: this visitor has a longer cookie and session, others keep theirs', async () => {
    const login: Route = (req, res, bag) => {
      bag.user = 'ann'
      remember(req, res, bag)
    }
    const ann = site.visitor({}, { ...routes, '/login': login })
    const bob = site.visitor({}, routes)
    expectAbout(lifetime(await ann.get(`/login?ms=${WEEK}`)), WEEK)
    expect(lifetime(await bob.get('/put?user=bob'))).toBeUndefined()
    for (let visit = 0; visit < 2; visit++) {
      expectAbout((await ann.get('/max-age')).body.originalMaxAge, WEEK)
      expect((await bob.get('/max-age')).body.originalMaxAge).toBeNull()
    }
    expectAbout(lifetime(await ann.get('/put?n=1')), WEEK)
  })

  test('"remember me" on its own, with nothing else changed, is kept, and so is taking it back', async () => {
    const visitor = site.visitor({ cookie: { maxAge: HOUR } }, routes)
    await visitor.get('/put?user=ann')
    await visitor.get(`/remember?ms=${WEEK}`)
    expectAbout((await visitor.get('/max-age')).body.originalMaxAge, WEEK)
    await visitor.get('/remember?ms=none')
    expect((await visitor.get('/max-age')).body.originalMaxAge).toBeNull()
    expect((await visitor.get('/')).body.session).toMatchObject({ user: 'ann', cookie: { expires: null } })
  })

  test('expires false makes it a cookie for the browser session', async () => {
    const forget: Route = (req, res) => {
      req.session.cookie.expires = false as never
      res.end()
    }
    const visitor = site.visitor({ cookie: { maxAge: HOUR } }, { '/forget': forget })
    await visitor.get('/put?user=ann')
    await visitor.get('/forget')
    expect((await visitor.get('/')).body.session).toMatchObject({ user: 'ann', cookie: { expires: false } })
    expect(lifetime(await visitor.get('/put?n=1'))).toBeUndefined()
  })

  test('a negative maxAge ends the session', async () => {
    const visitor = site.visitor({}, routes)
    await visitor.get('/put?user=ann')
    await visitor.get('/remember?ms=-1')
    expect(await site.stored(visitor.sid)).toBeNull()
    expect(await site.count()).toBe(0)
  })

  test.each([
    ['http', false],
    ['https', true],
  ])("secure 'auto' on %s: Secure %s", async (protocol, secure) => {
    const app = site.app({ cookie: { secure: 'auto', sameSite: 'auto' as never }, proxy: true })
    const visit = (path: string, cookie = '') =>
      request(app).get(path).set({ 'X-Forwarded-Proto': protocol, Cookie: cookie })
    const first = await visit('/put?n=1')
    expect(setCookies(first)).toHaveLength(1)
    expect(setCookies(first)[0]?.includes('; Secure')).toBe(secure)
    expect(setCookies(first)[0]).toContain(secure ? 'SameSite=None' : 'SameSite=Lax')
    const second = await visit('/', setCookies(first)[0]?.split(';')[0])
    expect(second.body.session.cookie).toMatchObject({ secure, sameSite: secure ? 'none' : 'lax' })
  })

  test('secure true on http: no cookie', async () => {
    expect(setCookies(await site.visitor({ cookie: { secure: true } }).get('/put?n=1'))).toEqual([])
  })

  test('a path that the cookie is not for has no session', async () => {
    const where: Route = (req, res) => json(res, { has: req.session !== undefined })
    const visitor = site.visitor({ cookie: { path: '/shop' } }, { '/shop/here': where, '/there': where })
    expect((await visitor.get('/shop/here')).body.has).toBe(true)
    expect((await visitor.get('/there')).body.has).toBe(false)
  })
})

describeEverywhere((site) => {
  test('visits keep a session alive past its maxAge, and it ends after the last', async () => {
    await unlessStalled(200, async () => {
      const visitor = site.visitor({ rolling: true, cookie: { maxAge: 700 } })
      await visitor.get('/put?user=ann')
      for (let visit = 0; visit < 2; visit++) {
        await sleep(360)
        expect((await visitor.get('/')).body.session.user).toBe('ann')
      }
      const old = visitor.sid
      await sleep(710)
      const late = await visitor.get('/')
      expect(late.body.session).not.toHaveProperty('user')
      expect(late.body.id).not.toBe(old)
    })
  })

  // tj/connect-redis#259
  test('an explicit save past the first maxAge saves: the session is in use', async () => {
    await unlessStalled(200, async () => {
      const save: Route = (req, res) => {
        req.session.save(() => res.end())
      }
      const visitor = site.visitor({ rolling: true, cookie: { maxAge: 700 } }, { '/save': save })
      await visitor.get('/put?user=ann')
      for (let visit = 0; visit < 2; visit++) {
        await sleep(360)
        await visitor.get('/')
      }
      await visitor.get('/save')
      expect((await visitor.get('/')).body.session.user).toBe('ann')
    })
  })
}, 'Express 5')
