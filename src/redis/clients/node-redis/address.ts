import type { OneClient } from './shapes.js'

/** Returns `host:port` of the server that a client is for, or the path of its Unix socket; `''` without a client. */
export function addressOf(client: OneClient | undefined): string {
  if (client === undefined) return ''
  const { path, host = 'localhost', port = 6379 } = client.options?.socket ?? {}
  return path ?? `${host}:${port}`
}
