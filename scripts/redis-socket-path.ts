import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** Bytes. The kernel's limit is 104 on macOS and 108 on Linux. */
const MAX_SOCKET_PATH = 100

/**
 * Path of the socket of the Redis that keeps its data in `dir`: inside `dir`, or in a short directory if that path is
 * too long for a socket. The short directory depends on `dir` only, so that a later run finds the same socket.
 */
export function redisSocketPath(dir: string): string {
  const inside = join(resolve(dir), 'redis.sock')
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH) return inside

  const digest = createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 12)
  const short = join(tmpdir(), `redis-${digest}`)
  mkdirSync(short, { recursive: true, mode: 0o700 })
  // Everyone can write to tmpdir. A directory of that name may belong to somebody else, and hold their Redis.
  const found = lstatSync(short)
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
    throw new Error(`The directory for Redis's socket, ${short}, is not private to this user`)
  }
  return join(short, 'redis.sock')
}
