/**
 * One process of an application with a near cache, commanded over IPC. Its tracking connection has a line of its own.
 */
import { Redis, type RedisOptions } from 'ioredis'
import { RedisStore, type RedisStoreOptions } from '../../src/index.js'
import type { Order } from './peer.js'

// biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there
type Bag = any

const [path = '', line = '', options = '{}'] = process.argv.slice(2)
const client = new Redis(path)
let tracking: Redis
client.duplicate = ((changed: RedisOptions) => {
  tracking = new Redis(line, changed as object)
  return tracking
}) as never
const store = new RedisStore({ client, timeout: 10_000, ...(JSON.parse(options) as Partial<RedisStoreOptions>) })

const content = (session: Bag) => {
  if (session === null) return null
  const { cookie: _cookie, ...held } = session
  return held
}

const orders: { [Name in Order['do']]: (order: Bag) => Promise<unknown> } = {
  async read({ sid }) {
    const session = await store.get(sid)
    if (session !== null) await store.touch(sid, session)
    return content(session)
  },
  /** Saves as a request does. Resolves with what it has loaded. */
  async save({ sid, put = {}, drop }) {
    const session = (await store.get(sid)) as Bag
    if (session === null) return null
    const loaded = content({ ...session })
    Object.assign(session, put)
    if (drop !== undefined) delete session[drop]
    await store.set(sid, session)
    return loaded
  },
  patch: ({ sid, put }) => store.patch(sid, put),
  login: ({ sid, put }) => store.set(sid, { cookie: { originalMaxAge: 60_000 }, ...put } as never),
  destroy: ({ sid }) => store.destroy(sid),
  stats: async () => store.cacheStats,
  /**
   * Resolves once the tracking connection has brought all that Redis had to tell before this call; false if there is
   * none.
   */
  delivered: () =>
    tracking.ping().then(
      () => true,
      () => false,
    ),
}

process.on('message', (order: Order & { id: number }) => {
  orders[order.do](order).then(
    (value) => process.send?.({ id: order.id, value: value ?? null }),
    (err: Error) => process.send?.({ id: order.id, error: err.message }),
  )
})
// The test has gone, however it ended.
process.on('disconnect', () => process.exit())
process.send?.({ id: 0, value: null })
