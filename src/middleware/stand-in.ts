import type { ServerResponse } from 'node:http'

/**
 * Whether this is a stand-in for a response. An upgrade has no response, so applications give middleware `{}`, as the
 * documentation of ws shows, or the few methods that Socket.IO passes to `io.engine.use`. A stand-in cannot be held or
 * observed.
 */
export function isStandIn(res: ServerResponse): boolean {
  const { getHeaderNames, once, writeHead } = (res ?? {}) as Partial<ServerResponse>
  return [getHeaderNames, once, writeHead].some((method) => typeof method !== 'function')
}
