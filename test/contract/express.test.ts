import type { ServerResponse } from 'node:http'
import type { Request } from 'express'
import session from 'express-session'
import request, { type Response } from 'supertest'
import { Visitor } from '../support/visitor.js'
import { describeEverywhere, json, type Route, SECRET, setCookies, show } from './web-app.js'

describeEverywhere((site) => {
  test('the first change gives the visitor a signed cookie, and the next visit finds the session', async () => {
    const visitor = site.visitor()
    const first = await visitor.get('/put?user=ann')
    expect(setCookies(first)).toHaveLength(1)
    expect(setCookies(first)[0]).toMatch(/^connect\.sid=s%3A[\w-]{32}\.[^;]+; Path=\/; HttpOnly$/)
    expect(visitor.sid).toBe(first.body.id)
    expect(await site.stored(visitor.sid)).toMatchObject({ user: 'ann' })

    const second = await visitor.get('/')
    expect(second.body).toMatchObject({ id: visitor.sid, session: { user: 'ann' } })
    expect(setCookies(second)).toEqual([])
  })

  test('two visitors have two sessions', async () => {
    const [ann, bob] = [site.visitor(), site.visitor()]
    await ann.get('/put?user=ann')
    await bob.get('/put?user=bob')
    expect((await ann.get('/')).body.session.user).toBe('ann')
    expect((await bob.get('/')).body.session.user).toBe('bob')
    expect(await site.count()).toBe(2)
  })

  test('properties are added, changed and removed from visit to visit', async () => {
    const visitor = site.visitor({}, { '/drop': (_req, res, bag) => json(res, { dropped: delete bag.a }) })
    await visitor.get('/put?a=1&b=1')
    await visitor.get('/put?b=2&c=1')
    await visitor.get('/drop')
    const { cookie: _cookie, ...properties } = (await visitor.get('/')).body.session
    expect(properties).toEqual({ b: '2', c: '1' })
  })

  test('saveUninitialized false: a visit that changes nothing gets no cookie and stores nothing', async () => {
    const visitor = site.visitor()
    expect(setCookies(await visitor.get('/'))).toEqual([])
    expect(await site.count()).toBe(0)
  })

  test('saveUninitialized true: a visit that changes nothing gets a cookie, and its session is stored', async () => {
    const visitor = site.visitor({ saveUninitialized: true })
    expect(setCookies(await visitor.get('/'))).toHaveLength(1)
    expect(await site.stored(visitor.sid)).toMatchObject({ cookie: { path: '/' } })
    expect((await visitor.get('/')).body.id).toBe(visitor.sid)
    expect(await site.count()).toBe(1)
  })

  test.each([false, true])(
    'resave %s: a visit that changes nothing touches, or saves, and loses nothing',
    async (resave) => {
      const visitor = site.visitor({ resave })
      await visitor.get('/put?user=ann')
      const set = jest.spyOn(site.store, 'set')
      const touch = jest.spyOn(site.store, 'touch' as never)
      await visitor.get('/')
      expect(set).toHaveBeenCalledTimes(resave ? 1 : 0)
      expect(touch).toHaveBeenCalledTimes(resave ? 0 : 1)
      expect(await site.stored(visitor.sid)).toMatchObject({ user: 'ann' })
    },
  )

  test.each([
    ['destroy', null],
    ['keep', { user: 'ann' }],
  ] as const)('unset %s: a session set to null ends, or stays as it was', async (unset, left) => {
    const unsetIt: Route = (req, res) => {
      req.session = null as never
      res.end('unset')
    }
    const visitor = site.visitor({ unset }, { '/unset': unsetIt })
    await visitor.get('/put?user=ann')
    const old = visitor.sid
    await visitor.get('/unset')
    if (left === null) expect(await site.stored(old)).toBeNull()
    else expect(await site.stored(old)).toMatchObject(left)
    expect((await visitor.get('/')).body.session.user).toBe(left?.user)
  })

  test('regenerate: a new id and an empty session, and the old id opens nothing', async () => {
    const login: Route = (req, res) => {
      req.session.regenerate((err) => {
        Object.assign(req.session, { user: 'ann', err })
        show(req, res, {})
      })
    }
    const visitor = site.visitor({}, { '/login': login })
    await visitor.get('/put?cart=1')
    const old = { cookie: visitor.cookie, sid: visitor.sid }
    const response = await visitor.get('/login')
    expect(setCookies(response)).toHaveLength(1)
    expect(visitor.sid).not.toBe(old.sid)
    expect(response.body.session).toMatchObject({ user: 'ann' })
    expect(response.body.session).not.toHaveProperty('cart')

    expect(await site.stored(old.sid)).toBeNull()
    expect(await site.stored(visitor.sid)).toMatchObject({ user: 'ann' })
    visitor.cookie = old.cookie
    expect((await visitor.get('/')).body.session).not.toHaveProperty('user')
  })

  test('regenerate without any change afterwards leaves one session, the new one', async () => {
    const visitor = site.visitor()
    await visitor.get('/put?cart=1')
    const old = visitor.sid
    await visitor.get('/regenerate')
    expect(visitor.sid).not.toBe(old)
    expect(await site.stored(old)).toBeNull()
    expect(await site.count()).toBe(1)
    expect((await visitor.get('/')).body.id).toBe(visitor.sid)
  })

  test('destroy: the session is gone, its cookie opens nothing, and the next one has a new id', async () => {
    const visitor = site.visitor()
    await visitor.get('/put?user=ann')
    const old = visitor.sid
    expect((await visitor.get('/logout')).body).toEqual({})
    expect(await site.count()).toBe(0)
    const anonymous = await visitor.get('/')
    expect(anonymous.body.id).not.toBe(old)
    expect(anonymous.body.session).not.toHaveProperty('user')
    await visitor.get('/put?user=bob')
    expect(visitor.sid).not.toBe(old)
    expect(await site.stored(old)).toBeNull()
  })

  test('reload drops own changes, shows those of another request, and what follows is saved', async () => {
    const reload: Route = async (req, res, bag) => {
      bag.draft = 'mine'
      await other.get('/put?step=2')
      req.session.reload((err) => {
        Object.assign(req.session, { after: 'reload' })
        json(res, { err, session: req.session })
      })
    }
    const visitor = site.visitor({}, { '/reload': reload })
    const other = site.visitor()
    await visitor.get('/put?user=ann&step=1')
    other.cookie = visitor.cookie
    const { body } = await visitor.get('/reload')
    expect(body.session).toMatchObject({ user: 'ann', step: '2' })
    expect(body.session).not.toHaveProperty('draft')
    const stored = await site.stored(visitor.sid)
    expect(stored).toMatchObject({ user: 'ann', step: '2', after: 'reload' })
    expect(stored).not.toHaveProperty('draft')
  })

  test('reload of a session that has ended meanwhile is an error', async () => {
    const reload: Route = async (req, res) => {
      await other.get('/logout')
      req.session.reload((err) => json(res, { message: err?.message }))
    }
    const visitor = site.visitor({}, { '/reload': reload })
    const other = site.visitor()
    await visitor.get('/put?user=ann')
    other.cookie = visitor.cookie
    expect((await visitor.get('/reload')).body.message).toBe('failed to load session')
  })

  test('an explicit save is stored before the response, and so is what follows it', async () => {
    const save: Route = (req, res, bag) => {
      bag.user = 'ann'
      req.session.save((err) => {
        void site.stored(req.sessionID).then((stored) => {
          bag.later = true
          delete bag.before
          json(res, { err, stored })
        })
      })
    }
    const visitor = site.visitor({}, { '/save': save })
    await visitor.get('/put?before=1')
    expect((await visitor.get('/save')).body.stored).toMatchObject({ user: 'ann', before: '1' })
    const { cookie: _cookie, ...properties } = (await site.stored(visitor.sid)) as Record<string, unknown>
    expect(properties).toEqual({ user: 'ann', later: true })
  })

  test('an explicit save of a new session needs no second one at the end', async () => {
    const save: Route = (req, res, bag) => {
      bag.user = 'ann'
      req.session.save(() => res.end('saved'))
    }
    const visitor = site.visitor({}, { '/save': save })
    const set = jest.spyOn(site.store, 'set')
    await visitor.get('/save')
    expect(set).toHaveBeenCalledTimes(1)
    expect((await visitor.get('/')).body.session.user).toBe('ann')
  })

  test('a redirect carries the cookie, and the page it leads to finds the session', async () => {
    const login: Route = (_req, res, bag) => {
      bag.user = 'ann'
      res.writeHead(302, { Location: '/' })
      res.end()
    }
    const visitor = site.visitor({}, { '/login': login })
    const response = await visitor.get('/login')
    expect(response.status).toBe(302)
    expect(setCookies(response)).toHaveLength(1)
    expect((await visitor.get('/')).body.session.user).toBe('ann')
  })

  test('what changes while the body is being sent is saved', async () => {
    const stream: Route = (_req, res, bag) => {
      res.write('part one, ')
      bag.streamed = true
      res.end('part two')
    }
    const visitor = site.visitor({}, { '/stream': stream })
    await visitor.get('/put?user=ann')
    expect((await visitor.get('/stream')).text).toBe('part one, part two')
    expect(await site.stored(visitor.sid)).toMatchObject({ user: 'ann', streamed: true })
  })

  test('the middleware mounted twice acts once', async () => {
    const options = { store: site.store, secret: SECRET, resave: false, saveUninitialized: false }
    const visitor = new Visitor(site.serve([session(options), session(options)]))
    const set = jest.spyOn(site.store, 'set')
    expect(setCookies(await visitor.get('/put?user=ann'))).toHaveLength(1)
    expect(set).toHaveBeenCalledTimes(1)
    expect((await visitor.get('/')).body.session.user).toBe('ann')
  })

  test('two mounts with cookies of their own share a store and keep their sessions apart', async () => {
    const mount = (name: string) => {
      const one = session({ name, store: site.store, secret: SECRET, resave: false, saveUninitialized: false })
      return (req: Request, res: ServerResponse, next: () => void) =>
        req.headers['x-area'] === name ? one(req as never, res as never, next) : next()
    }
    const app = site.serve([mount('shop'), mount('admin')])
    const at = (area: string, path: string, cookie = '') =>
      request(app).get(path).set({ 'X-Area': area, Cookie: cookie })
    const cookieOf = (response: Response) => (setCookies(response)[0] as string).split(';')[0] as string

    const shop = cookieOf(await at('shop', '/put?user=ann'))
    const admin = cookieOf(await at('admin', '/put?user=root', shop))
    const both = `${shop}; ${admin}`
    expect((await at('shop', '/', both)).body.session.user).toBe('ann')
    expect((await at('admin', '/', both)).body.session.user).toBe('root')
    await at('admin', '/logout', both)
    expect((await at('shop', '/', both)).body.session.user).toBe('ann')
    expect((await at('admin', '/', both)).body.session).not.toHaveProperty('user')
    expect(await site.count()).toBe(1)
  })
})
