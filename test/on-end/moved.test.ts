import { createHmac } from 'node:crypto'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { Keys } from '../../src/redis/keys.js'
import { SCHEDULE } from '../../src/redis/scripts/ends-queue.js'
import { ARRIVE, DEPART, PACK, SETTLE } from '../../src/redis/scripts/move.js'
import { makeDue } from '../support/hasten.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const hashed = (secret: string) => createHmac('sha256', secret).update('sid').digest('base64url')
const [oldKey, newKey] = [prefix + hashed('old'), prefix + hashed('new')]
const told: string[] = []
const contents: unknown[] = []
const stores: RedisStore[] = []

function storeWith(hashIds: RedisStoreOptions['hashIds'] & (string | string[]), ttl = 3600): RedisStore {
  const store = new RedisStore({
    client,
    prefix,
    ttl,
    hashIds,
    onEnd({ session }, reason) {
      told.push(reason)
      contents.push(session)
    },
  })
  stores.push(store)
  return store
}

afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
  told.length = 0
  contents.length = 0
  const left = await client.keys(`*${prefix}*`)
  if (left.length > 0) await client.del(left)
})
afterAll(() => client.quit())

/** Takes a session as far to another `hashIds` as a process that is killed after this step. */
async function move(until: 'copied' | 'departed' | 'settled'): Promise<void> {
  const packed = (await client.eval(PACK.lua, 1, oldKey, '')) as [number, string, number, string, string, ...string[]]
  const [, meta, , expires, state, ...fields] = packed
  const token = `${state}.copy`
  const dueIn = [hashed('new'), 3_600_000, 'expiry', 60_000]
  await client.eval(SCHEDULE.lua, 1, new Keys(prefix).endsOf(hashed('new')), ...dueIn)
  await client.eval(ARRIVE.lua, 1, newKey, meta, state, token, '', hashed('old'), expires, ...fields)
  if (until === 'copied') return
  await client.eval(DEPART.lua, 1, oldKey, state, hashed('new'), token)
  if (until === 'settled') await client.eval(SETTLE.lua, 1, newKey, token)
}

async function halfMoved(until: 'departed' | 'settled'): Promise<RedisStore> {
  await storeWith('old').set('sid', { cookie, user: 'ada', n: 1 } as never)
  await move(until)
  expect(await client.exists(newKey, oldKey)).toBe(2)
  return storeWith(['new', 'old'])
}

const gone = async (key: string) => {
  while ((await client.exists(key)) === 1) await new Promise((resolve) => setTimeout(resolve, 20))
}

test('what a move has left behind is no session that has expired: nobody is told, and the session is told of once', async () => {
  const store = await halfMoved('settled')
  await makeDue(client, prefix, 3_600_000)
  while ((await client.zscore(new Keys(prefix).endsOf(hashed('old')), hashed('old'))) !== null)
    await new Promise((r) => setTimeout(r, 20))
  expect(await store.get('sid')).toMatchObject({ user: 'ada' })
  expect([told, store.counters.destroyed]).toEqual([[], 0])
  await passTime(client, newKey, 3_600_000)
  await makeDue(client, prefix, 3_600_000)
  await gone(newKey)
  expect(told).toEqual(['expired'])
})

test.each(['departed', 'settled'] as const)(
  'a session whose mover died when it had %s: its end is told of once, by whomever, with what it held',
  async (until) => {
    for (const hashIds of [['new', 'old'], ['old', 'new'], 'new'] as const) {
      told.length = 0
      contents.length = 0
      await halfMoved(until)
      const ender = storeWith(hashIds as never)
      await ender.destroy('sid')
      await gone(newKey)
      await ender.close()
      expect(told).toEqual(['destroyed'])
      expect(contents).toEqual([expect.objectContaining({ user: 'ada', n: 1 })])
      await client.del(oldKey)
    }
  },
)

test.each(['copied', 'departed', 'settled'] as const)(
  'a session whose mover died when it had %s, and that nobody uses any more, is told of when it expires',
  async (until) => {
    await storeWith('old').set('sid', { cookie, user: 'ada' } as never)
    await move(until)
    storeWith(['new', 'old'])
    for (const key of [oldKey, newKey]) await passTime(client, key, 3_600_000)
    await makeDue(client, prefix, 3_600_000)
    await gone(until === 'copied' ? oldKey : newKey)
    expect(told).toEqual(['expired'])
  },
)
