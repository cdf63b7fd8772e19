import { createHash } from 'node:crypto'

/**
 * The public name of a session: a digest of the stored id, which pages and logs may show. Its input differs from that
 * of `hashIds`, so that a handle can never be a stored id.
 */
export function handleOf(storedId: string): string {
  return createHash('sha256').update(`connect-redis-hash handle ${storedId}`).digest('base64url').slice(0, 22)
}

const HANDLE = /^[\w-]{22}$/

/** Whether a text has the form of a handle. It may begin with a dash. */
export function isHandle(text: string): boolean {
  return HANDLE.test(text)
}
