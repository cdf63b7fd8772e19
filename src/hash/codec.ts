import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { propertyOf } from './field-name.js'

/** Converts the texts of one session to the form in which Redis stores them. Bookkeeping fields are never encrypted. */
export interface SessionCodec {
  encode(field: string, text: string): string
  /** @throws Unreadable */
  decode(field: string, stored: string): Decoded
}

export interface Decoded {
  text: string
  /** The text is encrypted with an old key, or not encrypted: the next save must write it again. */
  isOutdated: boolean
}

/** Encrypts sessions according to the `encryption` option. */
export interface Codec {
  /** Texts are stored unencrypted, so Redis can add to numbers by itself. */
  readonly isPlain: boolean
  /** Whether to accept texts that are not encrypted, including the strings of connect-redis. */
  readonly acceptsPlaintext: boolean
  of(storedId: string): SessionCodec
}

/** The stored text was not written by this codec for this field of this session. */
export class Unreadable extends Error {
  constructor() {
    super('not encrypted with a key of the "encryption" option, for this field of this session')
  }
}

const UNENCRYPTED: SessionCodec = {
  encode: (_field, text) => text,
  decode: (_field, text) => ({ text, isOutdated: false }),
}

export const PLAIN: Codec = { isPlain: true, acceptsPlaintext: true, of: () => UNENCRYPTED }

const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_ID_CHARACTERS = 6
/** `~`, six characters of key id, then IV, ciphertext and tag in base64url. JSON never begins with `~`. */
const ENVELOPE = /^~([\w-]{6})([\w-]{38,})$/

/**
 * Encrypts with AES-256-GCM. Each session has its own key, derived from the configured key and the stored id. Random
 * IVs are safe for 2^32 texts per key (NIST SP 800-38D, 8.3); with one key for all sessions, a busy site would reach
 * that within weeks.
 *
 * @param keys 32 bytes each; the first encrypts, the others only decrypt
 * @param mode `strict`: all texts must be encrypted. `decrypt-only`: texts are written plain
 */
export function aes256gcm(keys: readonly Buffer[], mode: 'strict' | 'accept-plaintext' | 'decrypt-only'): Codec {
  const acceptsPlaintext = mode !== 'strict'
  const encrypts = mode !== 'decrypt-only'
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
          if (propertyOf(field) === undefined || !encrypts) return text
          return `~${currentId}${seal(keyOf(currentId), boundTo(storedId, field), text)}`
        },
        decode(field, stored) {
          if (propertyOf(field) === undefined) return { text: stored, isOutdated: false }
          const [, id, sealed] = ENVELOPE.exec(stored) ?? []
          if (id !== undefined && sealed !== undefined) {
            return {
              text: open(keyOf(id), boundTo(storedId, field), sealed),
              isOutdated: !encrypts || id !== currentId,
            }
          }
          if (!acceptsPlaintext) throw new Unreadable()
          return { text: stored, isOutdated: encrypts }
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
  // Several base64url texts decode to the same bytes. Accept only the canonical one.
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

/** Additional authenticated data. A stored id contains no NUL, so each pair gives different bytes. */
function boundTo(storedId: string, field: string): Buffer {
  return Buffer.from(`${storedId}\0${field}`)
}

/** Computes the id of a key, which every envelope contains. It reveals nothing about the key. */
function keyIdOf(key: Buffer): string {
  return createHmac('sha256', key).update('connect-redis-hash key id').digest('base64url').slice(0, KEY_ID_CHARACTERS)
}
