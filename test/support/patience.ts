import { topology } from './topology.js'

/**
 * How long a store waits if its test does not say: longer than by default, because nobody stops the Redis of the test run,
 * and on a busy machine it may stand still for a second.
 */
export const PATIENCE = { timeout: 10_000 }

/** What tells where a client of ioredis connects to. */
interface Connecting {
  options?: { path?: unknown; sentinels?: unknown }
  startupNodes?: unknown
}

/** Whether a client connects to the Redis, the Sentinels or the Cluster of the test run. */
export function isOnTestRun(client: unknown): boolean {
  const { options, startupNodes } = (client ?? {}) as Connecting
  const isOnSocket = options?.path !== undefined && options.path === process.env.TEST_REDIS_SOCKET
  return isOnSocket || areAt(topology.sentinels, options?.sentinels) || areAt(topology.nodes, startupNodes)
}

type Addresses = readonly { port: number }[]

function areAt(ours: Addresses | undefined, given: unknown): boolean {
  if (ours === undefined || !Array.isArray(given)) return false
  return ours.every(({ port }, i) => (given as Addresses)[i]?.port === port)
}
