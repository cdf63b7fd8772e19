import { connectRedis, RedisStore } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { type GuardedLine, guardedLineTo } from '../support/guarded-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'

// When ioredis has connected again it repeats its subscriptions, and nobody catches it if one of these fails.

let redis: PrivateRedis
let line: GuardedLine
let subscribing = 0
const unhandled: unknown[] = []
const note = (err: unknown) => unhandled.push(err)

beforeAll(async () => {
  redis = await privateRedis()
  process.on('unhandledRejection', note)
})
beforeEach(async () => {
  subscribing = 0
  unhandled.length = 0
  line = await guardedLineTo(redis.socketPath, {
    // The first subscription is answered; those after a lost connection are not.
    admit: ([command = '']) => {
      if (command.toLowerCase() !== 'subscribe') return undefined
      subscribing += 1
      return subscribing === 1 ? undefined : new Promise(() => {})
    },
  })
})
afterEach(() => line.close())
afterAll(async () => {
  process.off('unhandledRejection', note)
  await redis.stop()
})

/** One line for each connection; a single line is the test's own connection. */
const clients = async () => String(await redis.admin.client('LIST')).trim()
const cutAll = () => redis.admin.call('CLIENT', 'KILL', 'SKIPME', 'yes')

/** Loses the connection while it subscribes again, and once more before that is answered. */
async function loseTwice(): Promise<void> {
  await until('it has subscribed', () => subscribing === 1)
  await until('Redis knows', async () => (await clients()).includes('sub=1'))
  await cutAll()
  await until('it subscribes again', () => subscribing > 1)
  await cutAll()
  await until('it is gone', async () => !(await clients()).includes('\n'))
  await until('it has connected again', async () => (await clients()).includes('\n'))
  expect(unhandled).toEqual([])
}

test('a store with broadcast: no unhandled rejection, which would end the process', async () => {
  const client = connectRedis(line.path)
  client.on('error', () => {})
  const store = new RedisStore({ client, broadcast: true })
  await loseTwice()
  await store.close()
  client.disconnect()
})

test("a store with broadcast on a client of the caller's own: the same", async () => {
  const client = new Redis({
    path: line.path,
    retryStrategy: () => 20,
    commandTimeout: 500,
    autoResendUnfulfilledCommands: false,
  })
  client.on('error', () => {})
  const store = new RedisStore({ client, broadcast: true })
  await loseTwice()
  await store.close()
  client.disconnect()
})

test('a client of connectRedis that the application subscribes with: the same', async () => {
  const client = connectRedis(line.path, { commandTimeout: 1000 })
  client.on('error', () => {})
  await client.subscribe('news')
  await loseTwice()
  client.disconnect()
})
