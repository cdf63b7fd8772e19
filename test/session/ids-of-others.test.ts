import { createServer, type Server } from 'node:http'
import { loadSession, RedisStore, type RedisStoreOptions, renewSession, rotateOnLogin } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'

const client = connect()
afterAll(() => client.quit())

/** Ids as other packages, and applications, make them. */
const IDS = [
  'https://idp.example/|08a5019c',
  'https://t.example.com/|auth0|5f7c8ec7c33c6c004bbafe82',
  `https://idp.example/|${'s'.repeat(255)}`,
  'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66',
  'tenant:42:abc',
  'a+b/c=',
  'auth0|5f7',
  '|',
  'ada.lovelace+tea@example.org',
  'a,b',
  '@rotated:a',
  'idx:sess:user:ada',
  'x~r1~y',
  'n'.repeat(300),
  'n'.repeat(512),
  '../../etc/passwd',
  'constructor',
]

describe.each<[string, Partial<RedisStoreOptions>]>([
  ['plain ids', {}],
  ['hashed ids', { hashIds: true }],
])('with %s', (_name, options) => {
  const prefix = freshPrefix()
  const ended: unknown[] = []
  const store = new RedisStore({
    client,
    prefix,
    indexes: { user: (held) => held.user },
    onEnd: async ({ session: held }) => {
      ended.push(held.n)
    },
    ...options,
  })
  const data = (n: number) => ({ n, user: `user-${n}`, cookie: { originalMaxAge: 60_000 } }) as never
  afterAll(() => store.close())

  test.each(IDS.map((id, n) => [id, n] as const))('%s is the id of a session, for every method', async (id, n) => {
    await store.set(id, data(n))
    expect(await store.get(id)).toMatchObject({ n })
    expect(await store.read(id, ['n'])).toEqual({ n })
    expect(await store.patch(id, { more: 1 })).toBe(true)
    expect(await store.increment(id, 'more')).toBe(2)
    await store.touch(id, data(n))
    expect(await store.countBy('user', `user-${n}`)).toBe(1)
    expect(await store.info(id)).toMatchObject({ indexes: { user: [`user-${n}`] } })
    if (options.hashIds === undefined) expect(await store.ids()).toContain(id)
    await store.destroyBy('user', `user-${n}`)
    expect(await store.exists(id)).toBe(false)
    await store.set(id, data(n))
    await store.destroy(id)
    expect(await store.exists(id)).toBe(false)
    await until('onEnd has got it twice', () => ended.filter((one) => one === n).length === 2)
  })

  test('none of them is taken for another one', async () => {
    await Promise.all(IDS.map((id, n) => store.set(id, data(n))))
    for (const [n, id] of IDS.entries()) expect(await store.read(id, ['n'])).toEqual({ n })
    expect(await store.length()).toBe(IDS.length)
    expect((await store.stats()).sessions).toBe(IDS.length)
    await store.clear()
    expect(await store.length()).toBe(0)
  })
})

test('an id that begins like the prefix of another store is another store’s session only where prefixes overlap', async () => {
  const prefix = freshPrefix()
  const [outer, beside] = [
    new RedisStore({ client, prefix: `${prefix}a:` }),
    new RedisStore({ client, prefix: `${prefix}b:` }),
  ]
  await outer.set('b:42', { n: 1 } as never)
  expect(await beside.get('42')).toBeNull()
  expect(await beside.length()).toBe(0)
})

describe('in a signed cookie', () => {
  const SECRET = 'keyboard cat'
  const store = new RedisStore({ client, prefix: freshPrefix() })
  let server: Server
  let next = ''

  beforeAll(() => {
    const app = express()
    app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false, genid: () => next }))
    app.use(rotateOnLogin({ principal: (held) => (held as { user?: string }).user }))
    app.use(renewSession({ every: 0 }))
    app.get('/put', (req, res) => {
      Object.assign(req.session, { value: 1 })
      res.json(req.sessionID)
    })
    app.get('/show', (req, res) => {
      res.json(req.session)
    })
    server = createServer(app).listen(0)
  })
  afterAll(() => server.close())

  test.each(IDS.filter((id) => id.length <= 200))('%s as of a genid is found again, and renewed', async (id) => {
    next = id
    const { headers } = await request(server).get('/put').expect(200, JSON.stringify(id))
    const cookie = headers['set-cookie']?.[0]?.split(';')[0] as string
    expect(cookie).toBe(`connect.sid=${encodeURIComponent(`s:${sign(id, SECRET)}`)}`)
    expect((await request(server).get('/show').set('Cookie', cookie)).body).toMatchObject({ value: 1 })
    const found = await loadSession({ headers: { cookie } } as never, { store, secret: SECRET })
    expect(found).toMatchObject({ value: 1 })
  })

  test('an id that leaves no room for what a renewal appends stays as it is', async () => {
    const id = 'n'.repeat(500)
    await store.set(id, { value: 1, cookie: { originalMaxAge: null } } as never)
    const cookie = `connect.sid=${encodeURIComponent(`s:${sign(id, SECRET)}`)}`
    for (let i = 0; i < 2; i++) {
      const { body, headers } = await request(server).get('/show').set('Cookie', cookie).expect(200)
      expect(body).toMatchObject({ value: 1 })
      expect(headers['set-cookie']).toBeUndefined()
    }
  })
})
