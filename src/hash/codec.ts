import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { propertyOf } from './field-name.js'

/** How the texts of one session stand in Redis: as they are, or encrypted. Bookkeeping fields always stand as they are. */
export interface SessionCodec {
  encode(field: string, text: string): string
  /** @throws Unreadable */
  decode(field: string, stored: string): Decoded
}

export interface Decoded {
  text: string
  /** Stored under an old key, or not encrypted yet: to be written anew. */
  isOutdated: boolean
}

/** What the `encryption` option comes to. */
export interface Codec {
  /** Redis can count with the numbers it holds. */
  readonly isPlain: boolean
  /** Whether texts that nobody encrypted may be believed: also connect-redis's strings. */
  readonly acceptsPlaintext: boolean
  of(storedId: string): SessionCodec
}

/** Not what this codec has written for this field of this session. */
export class Unreadable extends Error {
  constructor() {
    super('not encrypted with a key of the "encryption" option, for this field of this session')
  }
}

const AS_IT_IS: SessionCodec = {
  encode: (_field, text) => text,
  decode: (_field, text) => ({ text, isOutdated: false }),
}

export const PLAIN: Codec = { isPlain: true, acceptsPlaintext: true, of: () => AS_IT_IS }

const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_ID_CHARACTERS = 6
/** `~`, six characters of key id, then IV, ciphertext and tag in base64url. No JSON text begins with `~`. */
const ENVELOPE = /^~([\w-]{6})([\w-]{38,})$/

/**
 * AES-256-GCM. Each session has a key of its own, made from the configured one and the stored id: random IVs are safe
 * for 2^32 texts per key (NIST SP 800-38D, 8.3), which a busy site would reach within weeks with one key for all.
 *
 * @param keys 32 bytes each, current first; the others only decrypt
 */
export function aes256gcm(keys: readonly Buffer[], acceptsPlaintext: boolean): Codec {
  const byId = new Map(keys.map((key) => [keyIdOf(key), key]))
  const currentId = keyIdOf(keys[0] as Buffer)
  return {
    isPlain: false,
    acceptsPlaintext,
    of(storedId) {
      const derived = new Map<string, Buffer>()
      const keyOf = (id: string) => {
        const known = derived.get(id)
        if (known !== undefined) return known
        const key = byId.get(id)
        if (key === undefined) throw new Unreadable()
        const own = createHmac('sha256', key).update(`connect-redis-hash session key\0${storedId}`).digest()
        derived.set(id, own)
        return own
      }
      return {
        encode(field, text) {
          if (propertyOf(field) === undefined) return text
          return `~${currentId}${seal(keyOf(currentId), boundTo(storedId, field), text)}`
        },
        decode(field, stored) {
          if (propertyOf(field) === undefined) return { text: stored, isOutdated: false }
          const [, id, sealed] = ENVELOPE.exec(stored) ?? []
          if (id !== undefined && sealed !== undefined) {
            return { text: open(keyOf(id), boundTo(storedId, field), sealed), isOutdated: id !== currentId }
          }
          if (!acceptsPlaintext) throw new Unreadable()
          return { text: stored, isOutdated: true }
        },
      }
    },
  }
}

function seal(key: Buffer, aad: Buffer, text: string): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES }).setAAD(aad)
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

function open(key: Buffer, aad: Buffer, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64url')
  // Two texts can stand for the same bytes; only the one that was written counts.
  if (bytes.toString('base64url') !== sealed) throw new Unreadable()
  const tagAt = bytes.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(aad).setAuthTag(bytes.subarray(tagAt))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, tagAt)), decipher.final()]).toString('utf8')
  } catch {
    throw new Unreadable()
  }
}

/** A stored id has no NUL, so that no other pair gives the same bytes. */
function boundTo(storedId: string, field: string): Buffer {
  return Buffer.from(`${storedId}\0${field}`)
}

/** Names the key in every envelope without saying anything about it. */
function keyIdOf(key: Buffer): string {
  return createHmac('sha256', key).update('connect-redis-hash key id').digest('base64url').slice(0, KEY_ID_CHARACTERS)
}
