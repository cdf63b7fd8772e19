import { channel } from 'node:diagnostics_channel'
import { RedisStore } from 'connect-redis-hash'
import { Redis, type RedisOptions } from 'ioredis'
import { failureOf } from '../../support/failure.js'
import { connect5, connectLowest, connectValkey, freshPrefix, socketPath } from '../../support/redis.js'
import { topology } from '../../support/topology.js'

/* Clients of ioredis send the store's commands as they are, see src/redis/clients/ioredis/send-raw.ts. */

type Bag = never
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const prefix = freshPrefix()
const clients: { disconnect(): void }[] = []
const mine = <C extends { disconnect(): void }>(client: C): C => {
  clients.push(client)
  return client
}
const connect = (options: RedisOptions = {}) => mine(new Redis(socketPath(), options as never))

afterAll(async () => {
  await new RedisStore({ client: connect(), prefix }).clear()
  for (const client of clients) client.disconnect()
})

/** What a text of a session may be hurt by on its way. */
const CONTENT = {
  text: 'Zoë 日本 🎉 \u0000\r\n$3\r\n',
  '@na"me é': ['\ud800', { deep: null }],
  long: 'é'.repeat(100_000),
  empty: '',
}

/** Saves, changes and loads a session. */
async function roundTrip(store: RedisStore): Promise<void> {
  await store.set('a', { cookie, n: 1, ...CONTENT } as Bag)
  const loaded = (await store.get('a')) as unknown as Record<string, unknown>
  loaded.n = 2
  await store.set('a', loaded as Bag)
  expect(await store.get('a')).toEqual({ cookie, n: 2, ...CONTENT })
}

// Other libraries have other options for Sentinels.
const testOther = topology.sentinels === undefined ? test : test.skip
testOther.each(Object.entries({ connect5, connectLowest, connectValkey }))(
  'a session comes back as it was, with %s',
  async (_name, connectWith) => {
    await roundTrip(new RedisStore({ client: mine(connectWith()), prefix: freshPrefix() }))
  },
)

const OPTIONS: RedisOptions[] = [
  {},
  { keyPrefix: 'app:' },
  { commandTimeout: 5000 },
  { enableAutoPipelining: true },
  { stringNumbers: true },
  { protocol: 3, replyMapping: 'resp3' } as never,
  { protocol: 2 } as never,
  { showFriendlyErrorStack: true },
  { lazyConnect: true },
]
test.each(OPTIONS)('a session comes back as it was, over a client with %j', async (options) => {
  await roundTrip(new RedisStore({ client: connect(options), prefix: freshPrefix() }))
})

test('tools that replace the handlers of commands see replies and errors, and the store works', async () => {
  const client = connect()
  const seen: string[] = []
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command: never, ...rest: never[]) => {
    const watched = command as { name: string; resolve(reply: unknown): void; reject(err: unknown): void }
    const { resolve, reject } = watched
    // Called without `this`, as instrumentation for OpenTelemetry does.
    watched.resolve = (reply) => {
      seen.push(watched.name.toLowerCase())
      resolve(reply)
    }
    watched.reject = (err) => {
      seen.push(`${watched.name.toLowerCase()} failed`)
      reject(err)
    }
    return send(command, ...rest)
  }
  const store = new RedisStore({ client, prefix })
  await store.set('a', { cookie, n: 1 } as Bag)
  seen.length = 0
  await store.get('a')
  expect(seen).toEqual(['hgetall'])
  await client.rpush(`${prefix}list`, 'x')
  seen.length = 0
  expect(await store.get('list')).toBeNull()
  expect(seen.slice(0, 2)).toEqual(['hgetall failed', 'get failed'])
})

test('whoever traces the commands of ioredis hears of them, and when they are answered', async () => {
  const client = connect()
  const store = new RedisStore({ client, prefix })
  await store.set('a', { cookie, n: 1 } as Bag)
  const heard: string[] = []
  const listen = (event: string) => {
    const listener = (message: unknown) => heard.push(`${event} ${(message as { command: string }).command}`)
    const on = channel(`tracing:ioredis:command:${event}`)
    on.subscribe(listener)
    return () => on.unsubscribe(listener)
  }
  const stop = [listen('start'), listen('asyncEnd')]
  await store.get('a')
  await new Promise((resolve) => setImmediate(resolve))
  for (const each of stop) each()
  expect(heard.map((line) => line.toLowerCase())).toEqual(['start hgetall', 'asyncend hgetall'])
})

test('a command whose connection is lost fails, and the next one works', async () => {
  const client = connect({ autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 })
  const store = new RedisStore({ client, prefix, timeout: 5000 })
  await store.set('a', { cookie, n: 1 } as Bag)
  const asked = failureOf(store.get('a') as Promise<unknown>)
  ;(client as unknown as { stream: { destroy(): void } }).stream.destroy()
  expect(['ERR_SESSION_UNAVAILABLE', 'ERR_SESSION_TIMEOUT']).toContain((await asked)?.code)
  await new Promise((resolve) => client.once('ready', resolve))
  expect(await store.get('a')).toMatchObject({ n: 1 })
})
