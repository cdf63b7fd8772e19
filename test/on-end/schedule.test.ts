import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { hasten } from '../support/hasten.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const stores: RedisStore[] = []

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  const left = await client.keys(`*${prefix}*`)
  if (left.length > 0) await client.del(left)
})
afterAll(() => client.quit())

function storeWith(options: Partial<RedisStoreOptions>): RedisStore {
  const store = new RedisStore({ client, prefix, ...options })
  stores.push(store)
  return store
}

/** Resolves with the reason why session `a` has ended. */
function told(options: Partial<RedisStoreOptions> = {}): Promise<string> {
  return new Promise((resolve) => {
    storeWith({ ...options, onEnd: (_ended, reason) => resolve(reason) })
  })
}

const DAY_MS = 86_400_000

test('a session whose idle timeout was shortened is told of, as long as it is there', async () => {
  let ttl = 30 * 86_400
  const store = storeWith({ ttl: () => ttl, onEnd: () => {} })
  await store.set('a', { cookie } as never)
  const held = await store.get('a')
  ttl = 600
  await store.set('a', Object.assign(held as never, { role: 'admin' }))
  await store.close()
  await passTime(client, `${prefix}a`, 600_000)
  await hasten(client, prefix, 600_000)
  expect(await told()).toBe('expired')
})

test('a late save of a session that has ended does not put off that it is told of', async () => {
  const store = storeWith({ ttl: 30 * 86_400, onEnd: () => Promise.reject(new Error()) })
  await store.set('a', { cookie } as never)
  const held = await store.get('a')
  await store.destroy('a')
  await store.close()
  await store.set('a', Object.assign(held as never, { cart: ['late'] }))
  await hasten(client, prefix, DAY_MS)
  expect(await told()).toBe('destroyed')
})

test('a session of connect-redis that was only patched ends when it would have, and is told of', async () => {
  await client.set(`${prefix}a`, JSON.stringify({ cookie }), 'PX', 60_000)
  const store = storeWith({ ttl: 1800, onEnd: () => {} })
  expect(await store.patch('a', { visits: 1 })).toBe(true)
  const left = Number((await store.info('a'))?.expiresAt) - Date.now()
  expect(left).toBeGreaterThan(50_000)
  expect(left).toBeLessThanOrEqual(60_000)
  expect(await client.pttl(`${prefix}a`)).toBeGreaterThan(DAY_MS)
  await store.close()
  await passTime(client, `${prefix}a`, 60_000)
  await hasten(client, prefix, 60_000)
  expect(await told()).toBe('expired')
})

test('what another process takes on, and is killed over, while onEnd runs, is told of once more', async () => {
  let calls = 0
  const store = storeWith({
    onEnd: async () => {
      calls += 1
      const [reason, at] = ((await client.hget(`${prefix}a`, '@end')) ?? '').split(' ')
      // This process claimed the session, and its claim is over.
      await client.hset(`${prefix}a`, '@end', `${reason} ${at} ${(Date.now() - 1).toString(36)}`)
    },
  })
  await store.set('a', { cookie } as never)
  await store.destroy('a')
  await store.close()
  expect(calls).toBe(1)
  await hasten(client, prefix, 60_000)
  expect(await told()).toBe('destroyed')
})
