import { randomBytes } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { isSid } from '../ids/sid.js'

export type GenerateId = (req: IncomingMessage) => string

/** 256 bits: 128 are asked for (OWASP ASVS 5.0, 7.2.3). */
export const newSessionId: GenerateId = () => randomBytes(32).toString('base64url')

/** So many that of an alphabet of 64 characters hardly one is missing at any position. */
const SAMPLE = 512
/** One less than the 128 that are asked for, because some character may be missing all the same. */
const LEAST_BITS = 127

/** `renewSession` appends to ids. */
const LONGEST = 200

/** All versions, with and without hyphens; a random id is taken for one only if each of a sample looks like one. */
const UUID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[1-8][0-9a-f]{3}\1[89ab][0-9a-f]{3}\1[0-9a-f]{12}$/i

/**
 * Tries a generator of session ids out. That ids can be guessed shows only where it is obvious: this finds mistakes, and
 * is no proof of randomness.
 *
 * @throws TypeError that says what is wrong with its ids
 */
export function checkedGenid(genid: unknown): GenerateId {
  if (typeof genid !== 'function') throw new TypeError('"genid" option must be a function that returns a session id')
  const ids = sampleOf(genid as GenerateId)
  const wrong = fault(ids)
  if (wrong !== undefined) {
    throw new TypeError(
      `"genid" option must return ids of at least 128 random bits, such as randomBytes(32).toString('base64url'): ${wrong}`,
    )
  }
  return genid as GenerateId
}

function sampleOf(genid: GenerateId): unknown[] {
  const req = new IncomingMessage(new Socket())
  req.method = 'GET'
  req.url = '/'
  try {
    return Array.from({ length: SAMPLE }, () => genid(req))
  } catch (cause) {
    throw new TypeError('"genid" option must not throw: it was tried out with a request to /', { cause })
  }
}

function fault(ids: unknown[]): string | undefined {
  if (!ids.every(isSid) || ids.some((id) => id.length > LONGEST))
    return 'it returns what is no session id (1 to 200 letters, digits and - . _ ~ : + / = , @ |)'
  if (new Set(ids).size < ids.length) return 'it returns the same id again'
  if (ids.every((id) => UUID.test(id))) return 'it returns UUIDs, of which 122 bits are random at most'
  const bits = Math.floor(visibleBits(ids))
  return bits < LEAST_BITS ? `its ids vary by ${bits} bits at most` : undefined
}

/** An upper limit: as if each position of the ids were random and independent of the others. */
function visibleBits(ids: readonly string[]): number {
  const longest = Math.max(...ids.map((id) => id.length))
  let bits = 0
  for (let at = 0; at < longest; at++) {
    const characters = new Set(ids.map((id) => id[at]).filter((character) => character !== undefined))
    bits += Math.log2(characters.size)
  }
  return bits
}
