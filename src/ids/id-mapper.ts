import { createHash, createHmac } from 'node:crypto'

/** The stored ids that a session may have, the one for new sessions first; more than one only while `hashIds` changes. */
export type StoredIds = readonly [string, ...string[]]

/** False where the id of a cookie was none: it has no stored ids. */
export function hasId(storedIds: readonly string[]): storedIds is StoredIds {
  return storedIds.length > 0
}

/** Maps the id in the cookie to the id under which Redis stores the session. */
export interface IdMapper {
  /** The id for new sessions first, then the ids that older secrets produce. Never empty. */
  candidates(sid: string): StoredIds
  /** A session may be under one of several stored ids. */
  areSeveral: boolean
}

/** `true` for a SHA-256 digest, a secret for an HMAC, or a list of these, current first. false stores plain ids. */
export type HashIds = boolean | string | readonly (string | true)[]

/** Format of a digest. */
const DIGEST = /^[\w-]{43}$/

/** @param acceptPlainIds whether to find sessions, too, that were stored before ids were hashed */
export function idMapper(hashIds: HashIds, acceptPlainIds = false): IdMapper {
  if (hashIds === false) return { candidates: (sid) => [sid], areSeveral: false }
  const ways: readonly (string | true)[] = typeof hashIds === 'object' ? hashIds : [hashIds]
  return {
    areSeveral: ways.length > 1 || acceptPlainIds,
    candidates(sid) {
      // options.ts refuses an empty list.
      const digests = ways.map((way) => digest(way, sid)) as [string, ...string[]]
      // Never look up a cookie that looks like a digest: an attacker who reads a digest from Redis could use it as a
      // cookie.
      return acceptPlainIds && !DIGEST.test(sid) ? [...digests, sid] : digests
    },
  }
}

/** Whether an id looks like the digest of one. */
export function isDigest(sid: string): boolean {
  return DIGEST.test(sid)
}

function digest(way: string | true, sid: string): string {
  const hash = way === true ? createHash('sha256') : createHmac('sha256', way)
  return hash.update(sid).digest('base64url')
}
