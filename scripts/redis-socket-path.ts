import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** The kernel's limit for a socket path is 104 bytes on macOS and 108 on Linux. */
const MAX_SOCKET_PATH = 100

/**
 * The socket of the Redis whose data lives in `dir`: inside it, or, when that path is too long for a socket, in a short
 * directory that the same `dir` always leads to, so that a later run finds the same socket.
 */
export function redisSocketPath(dir: string): string {
  const inside = join(resolve(dir), 'redis.sock')
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH) return inside

  const digest = createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 12)
  const short = join(tmpdir(), `redis-${digest}`)
  mkdirSync(short, { recursive: true, mode: 0o700 })
  // tmpdir is writable by everyone: somebody else's directory of that name could hold somebody else's Redis.
  const found = lstatSync(short)
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
    throw new Error(`The directory for Redis's socket, ${short}, is not private to this user`)
  }
  return join(short, 'redis.sock')
}
