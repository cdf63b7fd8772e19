import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
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

test('a save that has timed out, as the session before was still being told of, writes nothing later', async () => {
  let goOn = () => {}
  const isToGoOn = new Promise<void>((resolve) => {
    goOn = resolve
  })
  // It connects first, however long that takes.
  await storeWith({}).ping()
  const store = storeWith({ timeout: 1000, onEnd: () => isToGoOn })
  await store.set('a', { cookie } as never)
  await store.destroy('a')
  await expect(store.set('a', { cookie } as never)).rejects.toMatchObject({ code: 'ERR_SESSION_TIMEOUT' })
  await storeWith({ onEnd: () => {} }).destroy('a')
  goOn()
  await store.close()
  // The save ends in a turn of its own after onEnd has.
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await store.get('a')).toBeNull()
})

test('very many properties are read', async () => {
  const store = storeWith({ onEnd: () => {} })
  const names = Array.from({ length: 10_001 }, (_, i) => `p${i}`)
  await store.set('a', { cookie, ...Object.fromEntries(names.map((name, i) => [name, i])) } as never)
  expect(await store.read('a', names)).toEqual(Object.fromEntries(names.map((name, i) => [name, i])))
  expect(await store.read('a', ['p10000', 'none', 'p0'])).toEqual({ p10000: 10_000, p0: 0 })
})
