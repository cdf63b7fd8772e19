import { createHash } from 'node:crypto'

/**
 * The public name of a session: a digest of the stored id, so that a page or log may show it. Domain-separated from
 * `hashIds`, so that a handle is never a stored id either.
 */
export function handleOf(storedId: string): string {
  return createHash('sha256').update(`connect-redis-hash handle ${storedId}`).digest('base64url').slice(0, 22)
}
