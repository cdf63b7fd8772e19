import { topology } from './topology.js'

/**
 * How long a store waits if its test does not say: longer than by default, because on a busy machine a Redis may stand
 * still for a second. Tests that stop a Redis say how long a store waits for it (or see privateRedis).
 */
export const PATIENCE = { timeout: 10_000 }

const sockets = new Set<unknown>([process.env.TEST_REDIS_SOCKET].filter(Boolean))

/** Makes stores patient that are on the Redis of this socket, too. */
export function bePatientWith(socket: string): void {
  sockets.add(socket)
}

/** What tells where a client of ioredis connects to. */
interface Connecting {
  options?: { path?: unknown; sentinels?: unknown }
  startupNodes?: unknown
}

/** Whether a client connects to a Redis that tests have started, or to the Sentinels or the Cluster of the test run. */
export function isOnTestRedis(client: unknown): boolean {
  const { options, startupNodes } = (client ?? {}) as Connecting
  return (
    sockets.has(options?.path) || areAt(topology.sentinels, options?.sentinels) || areAt(topology.nodes, startupNodes)
  )
}

type Addresses = readonly { port: number }[]

function areAt(ours: Addresses | undefined, given: unknown): boolean {
  if (ours === undefined || !Array.isArray(given)) return false
  return ours.every(({ port }, i) => (given as Addresses)[i]?.port === port)
}
