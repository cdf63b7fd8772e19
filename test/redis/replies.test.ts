import { RedisStore } from 'connect-redis-hash'
import { connect, freshPrefix } from '../support/redis.js'

/**
 * ioredis keeps every command, and what Redis answered to it, until the next full garbage collection. Of a session that is read
 * a thousand times a second nothing must wait for that.
 */
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const prefix = freshPrefix()
const client = connect()
const answers: Promise<unknown>[] = []
const sendCommand = client.sendCommand.bind(client) as (...args: unknown[]) => unknown
client.sendCommand = ((command: { promise: Promise<unknown> }, ...rest: unknown[]) => {
  answers.push(command.promise)
  return sendCommand(command, ...rest)
}) as typeof client.sendCommand
const stores: RedisStore[] = []

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  client.disconnect()
})

test.each([
  ['get', {}, (store: RedisStore) => store.get('a')],
  ['get, where sessions are kept for onEnd', { onEnd: () => undefined }, (store: RedisStore) => store.get('a')],
  ['read of some fields', {}, (store: RedisStore) => store.read('a', ['name'])],
])('once %s has resolved, nothing of the session is left in what ioredis holds', async (_title, options, ask) => {
  const store = new RedisStore({ client, prefix, ...options })
  stores.push(store)
  await store.set('a', { cookie, name: 'Ada Lovelace' } as never)
  answers.length = 0

  expect(await ask(store)).toMatchObject({ name: 'Ada Lovelace' })

  expect(answers.length).toBeGreaterThan(0)
  expect(JSON.stringify(await Promise.allSettled(answers))).not.toContain('Ada')
})
