import { RedisStore, type RedisStoreOptions, rotateOnLogin, rotateSession } from 'connect-redis-hash'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { END } from '../../src/redis/scripts/end.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'
import { ANY_CHANNEL } from '../support/server.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const client = connect()
const others = [connect(), connect(), connect()]
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

function storeWith(onExceed: 'evict' | 'reject', max = 3, more: Partial<RedisStoreOptions> = {}): RedisStore {
  const indexes = { user: (held: Bag) => held.userId }
  return new RedisStore({ client, prefix, indexes, limit: { index: 'user', max, onExceed }, timeout: 10_000, ...more })
}
const evicting = storeWith('evict')
const rejecting = storeWith('reject')

afterEach(() => evicting.clear())
afterAll(async () => {
  for (const other of others) other.disconnect()
  await client.quit()
})

const login = (sid: string, store: RedisStore, userId = 'ada') => store.set(sid, { cookie, userId } as never)
const age = (sid: string, seconds: number) => passTime(client, prefix + sid, seconds * 1000)
const alive = async () => (await evicting.ids()).toSorted()
const code = (err: { code?: string }) => err.code

/** An Express app whose routes do what logins of shops do. */
function site(store: RedisStore) {
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }), rotateOnLogin())
  app.get('/set', (req, res) => {
    Object.assign(req.session, req.query)
    res.end()
  })
  app.get('/show', (req, res) => {
    res.json(req.session)
  })
  app.get('/again', (req, res, next) => {
    rotateSession(req).then((done) => res.json(done), next)
  })
  const answerError: ErrorRequestHandler = (err, _req, res, _next) => {
    res.status(err.status).end(err.code)
  }
  app.use(answerError)
  return () => new Visitor(app)
}

describe('with evict', () => {
  test('one login more ends the session least recently seen, and says so', async () => {
    for (const sid of ['a', 'b', 'c']) await login(sid, evicting)
    await login('bobs', evicting, 'bob')
    await age('b', 60)
    await age('a', 30)
    const handle = (await evicting.info('b'))?.handle
    const events: unknown[] = []
    evicting.once('evicted', (event) => events.push(['evicted', event]))
    evicting.once('destroyed', (event) => events.push(['destroyed', event]))
    await login('d', evicting)
    expect(await alive()).toEqual(['a', 'bobs', 'c', 'd'])
    expect(events).toEqual([
      ['evicted', { handle }],
      ['destroyed', { handle, reason: 'evicted' }],
    ])
    expect(await evicting.countBy('user', 'ada')).toBe(3)
  })

  test('a session that is used, saved or given a new id ends no other', async () => {
    const visit = site(evicting)
    const visitors = [visit(), visit(), visit()]
    for (const visitor of visitors) await visitor.get('/set?userId=ada')
    for (const visitor of visitors) {
      await visitor.get('/set?cart=tea')
      expect((await visitor.get('/again')).body).toBe(true)
    }
    for (const visitor of visitors)
      expect((await visitor.get('/show')).body).toMatchObject({ userId: 'ada', cart: 'tea' })
  })

  test('a session that became a user’s without a new id counts as well', async () => {
    for (const sid of ['a', 'b', 'c']) await login(sid, evicting)
    await evicting.set('d', { cookie, cart: 'tea' } as never)
    await age('a', 60)
    const live = (await evicting.get('d')) as Bag
    live.userId = 'ada'
    await evicting.set('d', live)
    expect(await alive()).toEqual(['b', 'c', 'd'])
  })
})

describe('with reject', () => {
  test('one login more fails with a coded error, and the session before stays as it was', async () => {
    const visit = site(rejecting)
    for (let i = 0; i < 3; i++) await visit().get('/set?userId=ada')
    const late = visit()
    await late.get('/set?cart=tea')
    const { cookie: before, sid } = late
    const answer = await late.get('/set?userId=ada')
    expect([answer.status, answer.text, answer.headers['set-cookie']]).toEqual([409, 'ERR_SESSION_LIMIT', undefined])
    expect(late.cookie).toBe(before)
    expect((await late.get('/show')).body).toEqual({ cookie, cart: 'tea' })
    expect(await rejecting.read(sid)).not.toHaveProperty('userId')
    expect(await rejecting.countBy('user', 'ada')).toBe(3)
    // Another user may log in.
    expect((await late.get('/set?userId=bob')).status).toBe(200)
  })

  test('there is room again after a logout, and after sessions that nobody ended have gone', async () => {
    for (const sid of ['a', 'b', 'c']) await login(sid, rejecting)
    await rejecting.destroy('a')
    await login('d', rejecting)
    await client.del(`${prefix}b`)
    await login('e', rejecting)
    await expect(login('f', rejecting)).rejects.toMatchObject({ code: 'ERR_SESSION_LIMIT', status: 409 })
    expect(await alive()).toEqual(['c', 'd', 'e'])
  })

  test('the only session there may be is given a new id', async () => {
    const single = storeWith('reject', 1)
    const visitor = site(single)()
    await visitor.get('/set?userId=ada')
    const { sid } = visitor
    expect((await visitor.get('/again')).body).toBe(true)
    expect(visitor.sid).not.toBe(sid)
    expect((await visitor.get('/show')).body).toMatchObject({ userId: 'ada' })
  })

  test('what a login took that never came about is given back in a few seconds', async () => {
    const single = storeWith('reject', 1)
    // Only the entry is there: the process ended before it could create the session.
    const failing = storeWith('reject', 1, { serializer: { parse: JSON.parse, stringify: JSON.stringify } })
    await client.acl('SETUSER', `${prefix}u`, 'on', '>p', '~*', ...ANY_CHANNEL, '+@all', '-hset')
    const limited = connect({ username: `${prefix}u`, password: 'p' })
    try {
      const broken = storeWith('reject', 1, { client: limited })
      await expect(login('a', broken)).rejects.toMatchObject({ code: 'ERR_SESSION_FORBIDDEN' })
    } finally {
      limited.disconnect()
      await client.acl('DELUSER', `${prefix}u`)
    }
    await expect(login('b', single).catch(code)).resolves.toBe('ERR_SESSION_LIMIT')
    expect(await client.pttl(`idx:${prefix}user:ada`)).toBeLessThanOrEqual(10_000)
    await client.zadd(`idx:${prefix}user:ada`, Date.now() - 1, 'a')
    await login('b', failing)
    expect(await alive()).toEqual(['b'])
  })
})

describe.each(['evict', 'reject'] as const)('20 logins at once, with %s and a limit of 3', (onExceed) => {
  test('leave exactly 3 sessions alive, and every one of them can be found', async () => {
    const stores = others.map((other) => storeWith(onExceed, 3, { client: other }))
    for (let round = 0; round < 10; round++) {
      const logins = Array.from({ length: 20 }, (_, i) => login(`s${i}`, stores[i % 3] as RedisStore).catch(code))
      const failed = (await Promise.all(logins)).filter((result) => result !== undefined)
      expect(failed).toEqual(onExceed === 'evict' ? [] : Array.from({ length: 17 }, () => 'ERR_SESSION_LIMIT'))
      expect(await alive()).toHaveLength(3)
      expect(await evicting.countBy('user', 'ada')).toBe(3)
      await evicting.clear()
    }
  })
})

test('all sessions of a user are ended while they log in: the old ones are gone, the new one is alive', async () => {
  for (let round = 0; round < 30; round++) {
    for (const sid of ['a', 'b']) await login(sid, evicting)
    const [ended] = await Promise.all([evicting.destroyBy('user', 'ada'), login('new', evicting)])
    const left = await alive()
    expect([ended, left]).toEqual(left.length === 1 ? [2, ['new']] : [3, []])
    expect(await evicting.countBy('user', 'ada')).toBe(left.length)
    await evicting.clear()
  }
})

test.each<[unknown, RegExp]>([
  [{ index: 'email', max: 3, onExceed: 'evict' }, /^"limit.index" option must be one of "indexes".*"email"/],
  [{ index: 'user', max: 0, onExceed: 'evict' }, /^"limit" option must be/],
  [{ index: 'user', max: 1.5, onExceed: 'evict' }, /^"limit" option must be/],
  [{ index: 'user', max: 3 }, /^"limit" option must be/],
  [{ index: 'user', max: 3, onExceed: 'kick' }, /^"limit" option must be/],
  [{ index: 'user', max: 3, onExceed: 'evict', min: 1 }, /^"limit" option must be/],
  [3, /^"limit" option must be/],
  [null, /^"limit" option must be/],
])('limit %j is refused', (limit, message) => {
  expect(() => storeWith('evict', 3, { limit: limit as never })).toThrow(message)
})

test('a login that fails while it makes room leaves nobody logged in whom "log out everywhere" does not find', async () => {
  const own = new Redis(socketPath())
  const near = storeWith('evict', 1, { client: own })
  await login('a', near)
  // The command that ends the other session never arrives.
  const line = await guardedLineTo(socketPath(), {
    admit: (args) => (args.includes(END.sha) || args.includes(END.lua) ? new Promise(() => {}) : undefined),
  })
  const far = new Redis(line.path)
  await far.ping()
  await expect(login('b', storeWith('evict', 1, { client: far, timeout: 1000 }))).rejects.toMatchObject({
    code: 'ERR_SESSION_TIMEOUT',
  })
  expect(await near.destroyBy('user', 'ada')).toBe(1)
  expect(await near.exists('a')).toBe(false)
  far.disconnect()
  own.disconnect()
  await line.close()
})

describe('a session that comes to a user without being created', () => {
  const string = (sid: string, held: object = { userId: 'ada' }) =>
    client.set(prefix + sid, JSON.stringify({ cookie, ...held }), 'EX', 3600)

  test('by patch is one more login: with evict, the one least recently seen ends', async () => {
    const store = storeWith('evict', 1)
    await login('a', store)
    await store.set('b', { cookie } as never)
    expect(await store.patch('b', { userId: 'ada' })).toBe(true)
    expect(await alive()).toEqual(['b'])
    expect(await store.countBy('user', 'ada')).toBe(1)
  })

  test('by patch is refused with reject, and nothing of the patch is written', async () => {
    const store = storeWith('reject', 1)
    await login('a', store)
    await store.set('b', { cookie } as never)
    await expect(store.patch('b', { userId: 'ada', other: 1 })).rejects.toMatchObject({ code: 'ERR_SESSION_LIMIT' })
    expect(await store.read('b')).toEqual({ cookie })
    expect(await store.countBy('user', 'ada')).toBe(1)
    expect(await store.patch('a', { userId: 'ada', other: 1 })).toBe(true)
  })

  test.each(['evict', 'reject'] as const)(
    'by 20 patches at once over two stores gets no more places than there are, with %s',
    async (onExceed) => {
      const stores = others.slice(0, 2).map((own) => storeWith(onExceed, 2, { client: own }))
      const sids = Array.from({ length: 20 }, (_, i) => `${onExceed}${i}`)
      for (const sid of sids) await evicting.set(sid, { cookie } as never)
      const patched = sids.map((sid, i) => (stores[i % 2] as RedisStore).patch(sid, { userId: onExceed }))
      const outcomes = await Promise.allSettled(patched)
      const all = await Promise.all(sids.map((sid) => evicting.read(sid, ['userId'])))
      expect(all.filter((held) => held?.userId === onExceed)).toHaveLength(2)
      expect(await evicting.countBy('user', onExceed)).toBe(2)
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
      expect(refused.every(({ reason }) => reason.code === 'ERR_SESSION_LIMIT')).toBe(true)
      expect(refused).toHaveLength(onExceed === 'reject' ? 18 : 0)
    },
  )

  test('by increment has its place, or ends', async () => {
    const indexes = { level: (held: Bag) => held.level }
    const limit = { index: 'level', max: 1, onExceed: 'reject' } as const
    const store = storeWith('reject', 1, { indexes, limit })
    await store.set('a', { cookie, level: 2 } as never)
    await store.set('b', { cookie, level: 1 } as never)
    await expect(store.increment('b', 'level')).rejects.toMatchObject({ code: 'ERR_SESSION_LIMIT' })
    expect(await alive()).toEqual(['a'])
    expect(await store.countBy('level', '1')).toBe(0)
  })

  test('as a string of connect-redis’s ends another one with evict, once it is converted', async () => {
    const store = storeWith('evict', 1)
    await login('a', store)
    await string('old')
    const session = (await store.get('old')) as Bag
    session.n = 1
    await store.set('old', session)
    expect(await alive()).toEqual(['old'])
    expect(await store.countBy('user', 'ada')).toBe(1)
  })

  test.each(['evict', 'reject'] as const)(
    'as 20 strings of connect-redis’s that are converted at once over two stores leaves no more than allowed, with %s',
    async (onExceed) => {
      const stores = others.slice(0, 2).map((own) => storeWith(onExceed, 2, { client: own }))
      const sids = Array.from({ length: 20 }, (_, i) => `old${i}`)
      for (const sid of sids) await string(sid)
      const storeOf = (i: number) => stores[i % 2] as RedisStore
      const sessions = await Promise.all(sids.map((sid, i) => storeOf(i).get(sid) as Bag))
      await Promise.allSettled(
        sids.map((sid, i) => {
          sessions[i].n = i
          return storeOf(i).set(sid, sessions[i])
        }),
      )
      const types = await Promise.all(sids.map((sid) => client.type(prefix + sid)))
      expect(types.filter((type) => type === 'hash')).toHaveLength(2)
      expect(await evicting.countBy('user', 'ada')).toBe(2)
      // A session that finds no place ends, or stays as connect-redis wrote it.
      expect(types.filter((type) => type === 'string')).toHaveLength(onExceed === 'reject' ? 18 : 0)
    },
  )

  test('as a string of connect-redis’s that has been ended meanwhile ends no other', async () => {
    const store = storeWith('evict', 1)
    await string('old')
    const sessions = [(await store.get('old')) as Bag, (await store.get('old')) as Bag]
    sessions[1].n = 1
    await store.destroy('old')
    await login('a', store)
    await store.touch('old', sessions[0])
    await store.set('old', sessions[1])
    expect(await alive()).toEqual(['a'])
  })

  test('as a string of connect-redis’s is read but neither prolonged nor saved with reject, until there is a place', async () => {
    const store = storeWith('reject', 1)
    const codes: string[] = []
    store.on('warning', (warning) => codes.push(warning.code))
    await login('a', store)
    await client.set(`${prefix}old`, JSON.stringify({ cookie, userId: 'ada' }), 'EX', 100)
    const session = (await store.get('old')) as Bag
    await store.touch('old', session)
    expect(await client.pttl(`${prefix}old`)).toBeLessThanOrEqual(100_000)
    expect(await client.type(`${prefix}old`)).toBe('string')
    session.n = 1
    await expect(store.set('old', session)).rejects.toMatchObject({ code: 'ERR_SESSION_LIMIT', status: 409 })
    expect(await store.get('old')).toEqual({ cookie, userId: 'ada' })
    expect(await store.countBy('user', 'ada')).toBe(1)
    expect(codes).toEqual(['sessions-not-indexed', 'session-over-limit'])

    await store.destroy('a')
    await store.set('old', session)
    expect(await store.get('old')).toMatchObject({ userId: 'ada', n: 1 })
    expect(await store.countBy('user', 'ada')).toBe(1)
  })

  test('as a string of a visitor who logs in with it is refused with reject, and stays as it was', async () => {
    const store = storeWith('reject', 1)
    await login('a', store)
    await string('old', { cart: ['tea'] })
    const session = (await store.get('old')) as Bag
    session.userId = 'ada'
    await expect(store.set('old', session)).rejects.toMatchObject({ code: 'ERR_SESSION_LIMIT' })
    expect(await store.get('old')).toEqual({ cookie, cart: ['tea'] })
  })

  test('as a hash from before there was the index is read but not prolonged with reject', async () => {
    const plain = new RedisStore({ client, prefix, touchInterval: 0 })
    const store = storeWith('reject', 1, { touchInterval: 0 })
    await login('old', plain)
    await login('a', store)
    await client.pexpire(`${prefix}old`, 100_000)
    const session = (await store.get('old')) as Bag
    await store.touch('old', session)
    expect(await client.pttl(`${prefix}old`)).toBeLessThanOrEqual(100_000)
    session.n = 1
    await expect(store.set('old', session)).rejects.toMatchObject({ code: 'ERR_SESSION_LIMIT' })
  })
})
