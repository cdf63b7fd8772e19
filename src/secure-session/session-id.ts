import { randomBytes } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { isSid } from '../ids/sid.js'

export type GenerateId = (req: IncomingMessage) => string

/** 256 random bits in base64url. OWASP ASVS 5.0, 7.2.3 requires 128. */
export const newSessionId: GenerateId = () => randomBytes(32).toString('base64url')

/**
 * Number of ids in a sample. With this many, an alphabet of 64 characters is very likely seen in full at every
 * position.
 */
const SAMPLE = 512
/** Bits. One less than the required 128, because the sample may still miss a character. */
const MIN_BITS = 127

/** Characters. `renewSession` appends to ids, and the result must still be a valid id. */
const MAX_LENGTH = 200

/**
 * UUIDs of all versions, with and without hyphens. The generator counts as one of UUIDs only if every id of the sample
 * matches.
 */
const UUID = /^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[1-8][0-9a-f]{3}\1[89ab][0-9a-f]{3}\1[0-9a-f]{12}$/i

/**
 * Tests a generator of session ids with a sample. This finds mistakes; it cannot prove that ids are random.
 *
 * @throws TypeError that says what is wrong with the ids
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
  if (!ids.every(isSid) || ids.some((id) => id.length > MAX_LENGTH))
    return 'it returns what is no session id (1 to 200 letters, digits and - . _ ~ : + / = , @ |)'
  if (new Set(ids).size < ids.length) return 'it returns the same id again'
  if (ids.every((id) => UUID.test(id))) return 'it returns UUIDs, of which 122 bits are random at most'
  const bits = Math.floor(visibleBits(ids))
  return bits < MIN_BITS ? `its ids vary by ${bits} bits at most` : undefined
}

/**
 * Upper limit of the random bits per id. It assumes that the positions of an id are random and independent of each
 * other.
 */
function visibleBits(ids: readonly string[]): number {
  const longest = Math.max(...ids.map((id) => id.length))
  let bits = 0
  for (let at = 0; at < longest; at++) {
    const characters = new Set(ids.map((id) => id[at]).filter((character) => character !== undefined))
    bits += Math.log2(characters.size)
  }
  return bits
}
