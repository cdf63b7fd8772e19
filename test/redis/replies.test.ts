import { RedisStore } from 'connect-redis-hash'
import type { Cluster, Redis } from 'ioredis'
import { CACHE, isCaching } from '../support/near-cache.js'
import { connect, freshPrefix } from '../support/redis.js'

/**
 * ioredis keeps every command with its reply until the next full garbage collection. The store empties replies, so that
 * reading a session a thousand times a second does not fill the memory.
 */
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
let client: Redis
let answers: Promise<unknown>[]
let store: RedisStore | undefined

/** Records every reply from now on, as ioredis resolves it. */
function listen(to: object): void {
  const node = to as { sendCommand(...args: unknown[]): unknown }
  const sendCommand = node.sendCommand.bind(node)
  node.sendCommand = (command, ...rest) => {
    answers.push((command as { promise: Promise<unknown> }).promise)
    return sendCommand(command, ...rest)
  }
}

afterEach(async () => {
  await store?.close()
  client.disconnect()
})

test.each([
  ['get', {}, {}, (one: RedisStore) => one.get('a')],
  ['get, with a keyPrefix', { keyPrefix: 'app:' }, {}, (one: RedisStore) => one.get('a')],
  ['get, where sessions are kept for onEnd', {}, { onEnd: () => undefined }, (one: RedisStore) => one.get('a')],
  ['get into the near cache', {}, { cache: CACHE }, (one: RedisStore) => one.get('a')],
  ['read of some fields', {}, {}, (one: RedisStore) => one.read('a', ['name'])],
])(
  'once %s has resolved, nothing of the session is left in what ioredis holds',
  async (_title, client_, options, ask) => {
    client = connect(client_)
    answers = []
    store = new RedisStore({ client, prefix: freshPrefix(), ...options })
    await store.set('a', { cookie, name: 'Ada Lovelace' } as never)
    if ('cache' in options) await isCaching(store, { client })
    const nodes = client.isCluster ? (client as unknown as Cluster).nodes('master') : []
    for (const one of [client, ...nodes]) listen(one)

    expect(await ask(store)).toMatchObject({ name: 'Ada Lovelace' })

    expect(answers.length).toBeGreaterThan(0)
    expect(JSON.stringify(await Promise.allSettled(answers))).not.toContain('Ada')
  },
)
