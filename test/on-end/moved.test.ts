import { createHmac } from 'node:crypto'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { LEAVE } from '../../src/redis/scripts/move.js'
import { hasten } from '../support/hasten.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const hashed = (secret: string) => createHmac('sha256', secret).update('sid').digest('base64url')
const [oldKey, newKey] = [prefix + hashed('old'), prefix + hashed('new')]
const told: string[] = []
const stores: RedisStore[] = []

function storeWith(hashIds: RedisStoreOptions['hashIds'] & (string | string[]), ttl = 3600): RedisStore {
  const store = new RedisStore({
    client,
    prefix,
    ttl,
    hashIds,
    onEnd: (_ended, reason) => void told.push(reason),
  })
  stores.push(store)
  return store
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  told.length = 0
  const left = await client.keys(`*${prefix}*`)
  if (left.length > 0) await client.del(left)
})
afterAll(() => client.quit())

/** A session that has moved to another `hashIds`, by a process that was killed before it had deleted the old key. */
async function halfMoved(): Promise<RedisStore> {
  await storeWith('old', 1).set('sid', { cookie, user: 'ada' } as never)
  await client.eval(LEAVE.lua, 1, oldKey, '', hashed('new'))
  const left = await client.hgetall(oldKey)
  const store = storeWith(['new', 'old'])
  const held = (await store.get('sid')) as unknown as Record<string, unknown>
  await store.set('sid', { ...held, cookie, user: 'ada', n: 1 } as never)
  expect(await client.exists(newKey)).toBe(1)
  await client.hset(oldKey, left)
  return store
}

const gone = async (key: string) => {
  while ((await client.exists(key)) === 1) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('what a move has left behind is no session that has expired: nobody is told, and it is cleared away', async () => {
  const store = await halfMoved()
  await gone(oldKey)
  expect(await store.get('sid')).toMatchObject({ user: 'ada' })
  expect([told, store.counters.destroyed]).toEqual([[], 0])
})

test('the end of the session is told of once, although some of it is left where it came from', async () => {
  const store = await halfMoved()
  await store.destroy('sid')
  await Promise.all([gone(oldKey), gone(newKey)])
  await store.close()
  expect(told).toEqual(['destroyed'])
})

test('a session whose move was never completed is told of when it expires', async () => {
  const old = storeWith('old')
  await old.set('sid', { cookie, user: 'ada' } as never)
  await client.eval(LEAVE.lua, 1, oldKey, '', hashed('new'))
  await passTime(client, oldKey, 3_600_000)
  await hasten(client, prefix, 3_600_000)
  await gone(oldKey)
  expect(told).toEqual(['expired'])
})
