import { createServer } from 'node:http'
import type { SessionOptions } from 'express-session'
import request from 'supertest'
import { Visitor } from '../support/visitor.js'
import { describeEverywhere, SECRET, setCookies, signedCookie } from './web-app.js'

const UNKNOWN = 'Zq3_-xYpL0aB1cD2eF3gH4iJ5kL6mN7o'

describeEverywhere((site) => {
  const visitorWith = (cookie: string, options?: Partial<SessionOptions>) => new Visitor(site.app(options), cookie)

  test('an unknown id with a valid signature gets a new id, and nothing is stored under the one that was sent', async () => {
    const visitor = visitorWith(signedCookie(UNKNOWN))
    const read = await visitor.get('/')
    expect(read.body.id).not.toBe(UNKNOWN)
    expect(await site.count()).toBe(0)

    const changed = await visitor.get('/put?user=ann')
    expect(setCookies(changed)).toHaveLength(1)
    expect(visitor.sid).not.toBe(UNKNOWN)
    expect(await site.stored(UNKNOWN)).toBeNull()
    expect(await site.stored(visitor.sid)).toMatchObject({ user: 'ann' })
    expect(await site.count()).toBe(1)
  })

  test.each(['saveUninitialized', 'resave', 'rolling'])(
    'an unknown id never becomes a session, with %s either',
    async (option) => {
      const visitor = visitorWith(signedCookie(UNKNOWN), { [option]: true })
      await visitor.get('/')
      await visitor.get('/put?user=ann')
      await visitor.get('/logout')
      expect(await site.stored(UNKNOWN)).toBeNull()
    },
  )

  test('an id that was ended never becomes a session again', async () => {
    const visitor = site.visitor()
    await visitor.get('/put?user=ann')
    const { cookie, sid } = visitor
    await visitor.get('/logout')
    await visitorWith(cookie).get('/put?user=mallory')
    expect(await site.stored(sid)).toBeNull()
  })

  const ODD = ['*', '../../etc/passwd', '{tag}', 'a b', 'a\r\nDEL x', '__proto__', 'constructor', 'ä€']
  const titled = [...ODD.map((sid) => [sid, sid]), ['5,000 characters', 'x'.repeat(5000)]]
  test.each(titled)('a signed id like %j gets a new id and no error', async (_what, sid = '') => {
    const visitor = visitorWith(signedCookie(sid))
    const response = await visitor.get('/put?user=ann')
    expect(response.status).toBe(200)
    expect(response.body.id).toMatch(/^[\w-]{32}$/)
    expect(await site.count()).toBe(1)
    expect((await visitor.get('/')).body.session.user).toBe('ann')
  })

  test('a signature that does not fit is no cookie, and the session it names stays as it is', async () => {
    const ann = site.visitor()
    await ann.get('/put?user=ann')
    const forged = [
      ann.cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      signedCookie(ann.sid, 'another secret'),
      `connect.sid=${ann.sid}`,
      `connect.sid=s%3A${ann.sid}`,
      `connect.sid=s%3A${ann.sid}.`,
      'connect.sid=',
    ]
    for (const cookie of forged) {
      const mallory = visitorWith(cookie)
      expect((await mallory.get('/')).body.session).not.toHaveProperty('user')
      await mallory.get('/put?user=mallory')
      expect(mallory.sid).not.toBe(ann.sid)
      await mallory.get('/logout')
    }
    expect(await site.stored(ann.sid)).toMatchObject({ user: 'ann' })
    expect(await site.count()).toBe(1)
  })

  test('a rotated secret: cookies of the old one are taken, new ones carry the new one, removed ones are refused', async () => {
    const at = (secret: string[], cookie: string) => visitorWith(cookie, { secret, cookie: { maxAge: 3_600_000 } })
    const before = at(['old'], '')
    await before.get('/put?user=ann')

    const during = at(['new', 'old'], before.cookie)
    expect((await during.get('/')).body.session.user).toBe('ann')
    expect(during.cookie).toBe(before.cookie)
    await during.get('/put?n=1')
    expect(during.cookie).toBe(signedCookie(before.sid, 'new'))

    expect((await at(['new'], during.cookie).get('/')).body.session.user).toBe('ann')
    expect((await at(['new'], before.cookie).get('/')).body.session).not.toHaveProperty('user')
  })

  test('genid makes the ids, and regenerate asks it again', async () => {
    let made = 0
    const visitor = site.visitor({ genid: () => `made-${++made}` })
    await visitor.get('/put?user=ann')
    expect(visitor.sid).toBe('made-1')
    await visitor.get('/regenerate')
    expect(visitor.sid).toBe('made-2')
    expect(await site.stored('made-1')).toBeNull()
    expect(await site.stored('made-2')).not.toBeNull()
  })
})

describeEverywhere((site) => {
  test('1,000 visits and logouts of nobody in particular store nothing', async () => {
    const server = createServer(site.app()).listen(0)
    const set = jest.spyOn(site.store, 'set')
    const agent = request.agent(server)
    try {
      const visit = async (n: number) => {
        const cookie = n % 2 === 0 ? '' : signedCookie(`guess-${n}`, SECRET)
        const response = await agent.get(n % 4 < 2 ? '/' : '/logout').set('Cookie', cookie)
        expect(setCookies(response)).toEqual([])
      }
      for (let n = 0; n < 1000; n += 50) await Promise.all(Array.from({ length: 50 }, (_, i) => visit(n + i)))
    } finally {
      server.close()
    }
    expect(await site.count()).toBe(0)
    expect(set).not.toHaveBeenCalled()
  })
}, 'Express 5')
