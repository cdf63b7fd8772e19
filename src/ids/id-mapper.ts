import { createHash, createHmac } from 'node:crypto'

/** Turns the id in the cookie into the id Redis holds. */
export interface IdMapper {
  /** The stored id for new sessions first, then those that older secrets gave; never empty. */
  candidates(sid: string): readonly string[]
  /** A session may be under one of several stored ids. */
  areSeveral: boolean
}

/** `true` for a plain digest, an HMAC secret, or a list of these, current first. */
export type HashIds = boolean | string | readonly (string | true)[]

/** What a digest looks like. */
const DIGEST = /^[\w-]{43}$/

/** @param acceptPlainIds also look for sessions that were stored before ids were hashed */
export function idMapper(hashIds: HashIds, acceptPlainIds = false): IdMapper {
  if (hashIds === false) return { candidates: (sid) => [sid], areSeveral: false }
  const ways: readonly (string | true)[] = typeof hashIds === 'object' ? hashIds : [hashIds]
  return {
    areSeveral: ways.length > 1 || acceptPlainIds,
    candidates(sid) {
      const digests = ways.map((way) => digest(way, sid))
      // Of a digest in Redis nobody may make a cookie: it would name its own key.
      return acceptPlainIds && !DIGEST.test(sid) ? [...digests, sid] : digests
    },
  }
}

function digest(way: string | true, sid: string): string {
  const hash = way === true ? createHash('sha256') : createHmac('sha256', way)
  return hash.update(sid).digest('base64url')
}
