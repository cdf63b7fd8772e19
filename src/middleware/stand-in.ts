import type { ServerResponse } from 'node:http'

/**
 * Whether this is no response, but what applications give to middleware at an upgrade, where there is none: `{}`, as the
 * documents of ws show, or the few methods that Socket.IO has for `io.engine.use`. Nothing of it can be held or observed.
 */
export function isStandIn(res: ServerResponse): boolean {
  const { getHeaderNames, once, writeHead } = (res ?? {}) as Partial<ServerResponse>
  return [getHeaderNames, once, writeHead].some((method) => typeof method !== 'function')
}
