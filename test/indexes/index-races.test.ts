import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { DROP } from '../../src/redis/scripts/index-sessions.js'
import { STORE_ACCESS } from '../../src/requests/store-access.js'
import { gate } from '../support/gate.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const clients = [connect(), connect()]
const [client] = clients as [(typeof clients)[0]]
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const indexes = {
  tenant: (held: Bag) => held.tenant,
  /** Reads two properties, which two requests may change. */
  admin: (held: Bag) => (held.mfa ? held.user : undefined),
  level: (held: Bag) => held.level,
}

function storeOn(i: number, more: Partial<RedisStoreOptions> = {}): RedisStore {
  return new RedisStore({ client: clients[i] as never, prefix, indexes, timeout: 20_000, ...more })
}
// The stores are two processes, as far as Redis can tell.
const [a, b] = [storeOn(0), storeOn(1)]

afterEach(async () => {
  await a.clear()
  expect(await client.keys(`*${prefix}*`)).toEqual([])
})
afterAll(async () => {
  for (const one of clients) await one.quit()
})

const make = (sid: string, data: object) => a.set(sid, { cookie, ...data } as never)
const load = async (store: RedisStore, sid: string): Promise<Bag> => store.get(sid)

/** Runs a race many times, and says how often the session was not to be found by what it holds in the end. */
async function missed(rounds: number, index: keyof typeof indexes, race: (sid: string, i: number) => Promise<unknown>) {
  let count = 0
  for (let i = 0; i < rounds; i++) {
    const sid = `s${i}`
    await race(sid, i)
    const value = indexes[index](await load(a, sid))
    if ((await a.destroyBy(index, value)) !== 1) count += 1
    await a.destroy(sid)
  }
  return count
}

describe('a session is found by what it holds', () => {
  test('after a patch beside a save that moves it to another value', async () => {
    const race = async (sid: string, i: number) => {
      await make(sid, { tenant: `old${i}` })
      const session = await load(a, sid)
      session.tenant = `new${i}`
      await Promise.all([a.set(sid, session), b.patch(sid, { ping: i })])
    }
    expect(await missed(300, 'tenant', race)).toBe(0)
  })

  test('after two patches at once to different values', async () => {
    const race = async (sid: string, i: number) => {
      await make(sid, { tenant: `old${i}` })
      await Promise.all([a.patch(sid, { tenant: `one${i}` }), b.patch(sid, { tenant: `two${i}` })])
    }
    expect(await missed(300, 'tenant', race)).toBe(0)
  })

  test('after two patches at once, of which one moves it', async () => {
    const race = async (sid: string, i: number) => {
      await make(sid, { tenant: `old${i}` })
      await Promise.all([a.patch(sid, { tenant: `new${i}` }), b.patch(sid, { ping: i })])
    }
    expect(await missed(300, 'tenant', race)).toBe(0)
  })

  test('after many patches of different properties at once, of which one moves it', async () => {
    const race = async (sid: string, i: number) => {
      await make(sid, { tenant: `old${i}` })
      const pings = Array.from({ length: 20 }, (_, n) => (n % 2 ? a : b).patch(sid, { [`ping${n}`]: i }))
      await Promise.all([...pings, b.patch(sid, { tenant: `new${i}` })])
    }
    expect(await missed(20, 'tenant', race)).toBe(0)
  })

  test.each([
    ['two saves', (s: RedisStore, sid: string, change: Bag) => saveChange(s, sid, change)],
    ['two patches', (s: RedisStore, sid: string, change: Bag) => s.patch(sid, change)],
    [
      'a save and a patch',
      (s: RedisStore, sid: string, change: Bag) => (s === a ? saveChange(s, sid, change) : s.patch(sid, change)),
    ],
  ])('after %s at once that each change one of two properties of one index', async (_, change) => {
    const race = async (sid: string, i: number) => {
      await make(sid, { user: `u${i}`, mfa: false })
      await Promise.all([change(a, sid, { mfa: true }), change(b, sid, { user: `w${i}` })])
    }
    expect(await missed(100, 'admin', race)).toBe(0)
  })

  test('after a value that one request takes away has come back before the entry is dropped', async () => {
    const drop = gate()
    const line = await guardedLineTo(socketPath(), {
      admit: (args) =>
        args[0] === 'zrem' || [DROP.sha, DROP.lua].some((it) => args.includes(it)) ? drop.wait() : undefined,
    })
    const fastAndSlow = [new Redis(socketPath()), new Redis(line.path)]
    const own = fastAndSlow.map((one) => new RedisStore({ client: one, prefix, indexes, timeout: 20_000 })) as [
      RedisStore,
      RedisStore,
    ]
    try {
      await own[0].set('s', { cookie, tenant: 'here' } as never)
      const away = own[1].patch('s', { tenant: 'away' })
      await drop.reached
      await own[0].patch('s', { tenant: 'here' })
      drop.open()
      await away
      expect(await own[0].destroyBy('tenant', 'here')).toBe(1)
      await own[0].clear()
    } finally {
      for (const one of fastAndSlow) one.disconnect()
      await line.close()
    }
  })

  test('after an increment of what an index reads', async () => {
    const race = async (sid: string) => {
      await make(sid, { level: 1 })
      await Promise.all([a.increment(sid, 'level'), b.increment(sid, 'level', 3)])
    }
    expect(await missed(50, 'level', race)).toBe(0)
  })

  test('after one request has converted and moved what another one loaded as a string of connect-redis’s', async () => {
    await client.set(`${prefix}old`, JSON.stringify({ cookie, tenant: 'before', n: 1 }), 'EX', 3600)
    const [mover, other] = [await load(a, 'old'), await load(b, 'old')]
    mover.tenant = 'after'
    await a.set('old', mover)
    other.n = 2
    await b.set('old', other)
    expect(await load(a, 'old')).toMatchObject({ tenant: 'after', n: 2 })
    expect((await a.info('old'))?.indexes.tenant).toEqual(['after'])
    expect(await a.destroyBy('tenant', 'after')).toBe(1)
  })

  test('after connect-redis, still at work, has moved what a request is converting', async () => {
    await client.set(`${prefix}old`, JSON.stringify({ cookie, tenant: 'before', n: 1 }), 'EX', 3600)
    const session = await load(a, 'old')
    session.n = 2
    await client.set(`${prefix}old`, JSON.stringify({ cookie, tenant: 'after', n: 1 }), 'EX', 3600)
    await a.set('old', session)
    expect(await load(a, 'old')).toMatchObject({ tenant: 'after', n: 2 })
    expect(await a.destroyBy('tenant', 'after')).toBe(1)
  })

  test('while a request has changed it, and middleware writes marks before the request saves', async () => {
    await make('s', { tenant: 'stored' })
    const session = await load(a, 's')
    session.tenant = 'not-yet'
    a[STORE_ACCESS].fields.mark(session, '@client', 'Firefox')
    await a[STORE_ACCESS].fields.saveMarks(session)
    expect(await a.countBy('tenant', 'stored')).toBe(1)
    expect(await a.destroyBy('tenant', 'stored')).toBe(1)
  })
})

test('a patch beside the end of its session and a new one under the same id changes one of them wholly', async () => {
  for (let i = 0; i < 50; i++) {
    await make('s', { tenant: 'first' })
    const anew = a.destroy('s').then(() => make('s', { tenant: 'second', fresh: true }))
    await Promise.all([anew, b.patch('s', { user: 'ada', mfa: true })])
    const held = await load(a, 's')
    expect(held).toMatchObject({ tenant: 'second', fresh: true })
    expect((await a.findBy('admin', 'ada')).length).toBe(held.user === 'ada' ? 1 : 0)
    expect((await a.findBy('tenant', 'second')).length).toBe(1)
    await a.destroy('s')
  }
})

async function saveChange(store: RedisStore, sid: string, change: object): Promise<void> {
  const session = await load(store, sid)
  Object.assign(session, change)
  await store.set(sid, session)
}
