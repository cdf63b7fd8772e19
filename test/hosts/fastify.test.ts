import { RedisStore } from 'connect-redis-hash'
import { CACHE } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'
import { cookieOf, HostProcess, sidOf } from './host-process.js'

const client = connect()
afterAll(() => client.quit())

const HOUR = 3_600_000
const WRITING = ['/slow/put/late/1', '/slow/add/late', '/slow/put/user/ada-again', '/slow/save-twice']

describe.each<[name: string, options: object, store: object]>([
  ['by default (rolling)', {}, {}],
  ['with a maxAge', { cookie: { secure: false, maxAge: HOUR } }, {}],
  ['without rolling', { rolling: false, saveUninitialized: false }, {}],
  ['over a near cache', {}, { cache: CACHE }],
  ['with hashed ids and an index', {}, { hashIds: true, withUsers: true }],
])('@fastify/session %s', (_name, options, storeOptions) => {
  const prefix = freshPrefix()
  const { withUsers: _withUsers, cache: _cache, ...same } = storeOptions as { withUsers?: true; cache?: object }
  const store = new RedisStore({ client, prefix, ...same })
  let server: HostProcess

  beforeAll(async () => {
    server = await HostProcess.start('fastify.child.ts', prefix, options, storeOptions)
  }, HostProcess.STARTS_WITHIN_MS)
  afterAll(() => server.stop())

  const loggedIn = async () => cookieOf(await server.get('/login/ada'))
  async function held(cookie: string): Promise<object | null> {
    const session = await store.read(sidOf(cookie))
    if (session === null) return null
    const { cookie: _cookie, ...properties } = session
    return properties
  }

  test.each([...WRITING, '/slow/read'])('a logout is not undone by %s, which ends later', async (path) => {
    const cookie = await loggedIn()
    await server.get('/add/tea', cookie)
    const before = await server.state()
    const finish = await server.underWay(path, cookie)
    await server.get('/logout', cookie)
    await finish()
    expect(await held(cookie)).toBeNull()
    if (WRITING.includes(path)) expect((await server.state()).refused).toBeGreaterThan(before.refused)
  })

  test.each([...WRITING, '/slow/read'])('nor by %s where the session holds a text and nothing else', async (path) => {
    const cookie = await loggedIn()
    const finish = await server.underWay(path, cookie)
    await server.get('/logout', cookie)
    await finish()
    expect(await held(cookie)).toBeNull()
  })

  test('a logout is not undone where its visitor has asked for the session meanwhile', async () => {
    const cookie = await loggedIn()
    const finish = await server.underWay('/slow/put/late/1', cookie)
    await store.destroy(sidOf(cookie))
    expect(await (await server.get('/read', cookie)).text()).toBe('nobody')
    await finish()
    expect(await held(cookie)).toBeNull()
  })

  test('two requests at once that change different properties both survive', async () => {
    const cookie = await loggedIn()
    const finish = await server.underWay('/slow/put/one/1', cookie)
    await server.get('/put/two/2', cookie)
    await finish()
    expect(await held(cookie)).toEqual({ user: 'ada', one: '1', two: '2' })
  })

  test('a request that only reads undoes no change of one that ends before it', async () => {
    const cookie = await loggedIn()
    await server.get('/put/theme/light', cookie)
    const finish = await server.underWay('/slow/read', cookie)
    await server.get('/put/theme/dark', cookie)
    await finish()
    expect(await held(cookie)).toEqual({ user: 'ada', theme: 'dark' })
  })

  test('a session that holds an object says itself in which state a request has loaded it', async () => {
    const cookie = await loggedIn()
    await server.get('/add/tea', cookie)
    const finish = await server.underWay('/slow/put/one/1', cookie)
    await server.get('/put/two/2', cookie)
    await server.get('/add/milk', cookie)
    await finish()
    expect(await held(cookie)).toEqual({ user: 'ada', one: '1', two: '2', basket: ['tea', 'milk'] })
  })

  test('a property changed back to what an older request has loaded is changed back', async () => {
    const cookie = await loggedIn()
    await server.get('/put/theme/light', cookie)
    const finish = await server.underWay('/slow/put/one/1', cookie)
    await server.get('/put/theme/dark', cookie)
    await server.get('/put/theme/light', cookie)
    expect(await held(cookie)).toMatchObject({ theme: 'light' })
    await finish()
    await server.get('/put/theme/dark', cookie)
    await server.get('/put/theme/light', cookie)
    expect(await held(cookie)).toMatchObject({ theme: 'light', one: '1' })
  })

  test('what one request saves twice is what it saved last', async () => {
    const cookie = await loggedIn()
    await server.get('/save-twice', cookie)
    expect(await held(cookie)).toEqual({ user: 'ada', second: 1 })
  })

  test('a request that changes nothing writes nothing', async () => {
    const cookie = await loggedIn()
    await server.get('/add/tea', cookie)
    const before = await server.state()
    for (let i = 0; i < 3; i++) await server.get('/read', cookie)
    expect((await server.state()).saved).toBe(before.saved)
    expect(await held(cookie)).toEqual({ user: 'ada', basket: ['tea'] })
  })

  test('what is warned of is that requests have loaded different states, once', async () => {
    expect([[], ['saves-copies']]).toContainEqual((await server.state()).warnings)
  })
})

test(
  'with @fastify/session in two processes, a logout in one ends the session, and no change is lost',
  async () => {
    const prefix = freshPrefix()
    const store = new RedisStore({ client, prefix })
    const starting = [0, 1].map(() => HostProcess.start('fastify.child.ts', prefix))
    const [here, there] = (await Promise.all(starting)) as [HostProcess, HostProcess]
    try {
      for (const path of [...WRITING, '/slow/read']) {
        const cookie = cookieOf(await here.get('/login/ada'))
        const change = await here.underWay('/slow/put/here/1', cookie)
        await there.get('/put/there/1', cookie)
        await change()
        expect(await store.read(sidOf(cookie))).toMatchObject({ user: 'ada', here: '1', there: '1' })
        const finish = await here.underWay(path, cookie)
        await there.get('/logout', cookie)
        await finish()
        expect(await store.exists(sidOf(cookie))).toBe(false)
      }
    } finally {
      here.stop()
      there.stop()
    }
  },
  HostProcess.STARTS_WITHIN_MS,
)
