import { aes256gcm, type Codec, PLAIN } from './codec.js'

/** Encrypts what sessions hold, property by property, before it goes to Redis: AES-256-GCM. */
export interface Encryption {
  /**
   * Current key first; the others only decrypt, until their sessions have been saved. A key is 32 random bytes: a Buffer,
   * or text in base64 or hex (`openssl rand -base64 32`). No passphrases: they can be guessed from a dump.
   */
  keys: readonly (string | Uint8Array)[]
  /**
   * Also read what was written before encryption was turned on, and encrypt it at its next save. Default false.
   * WARNING: as long as this is true, whoever can write to Redis can plant a session of his own making (session
   * forgery: `userId` of an administrator, in plain text) and move values between sessions. Remove it as soon as the
   * old sessions have been saved or have expired.
   */
  acceptPlaintext?: boolean
}

const KEY_BYTES = 32
/** Of 32 random bytes about 30 differ; fewer than this is `Buffer.alloc(32)`, or a word repeated. */
const LEAST_DIFFERENT_BYTES = 16

export const ENCRYPTION_MUST_BE =
  '{ keys: [current, ...old], acceptPlaintext?: boolean }, each key 32 random bytes as a Buffer, base64 or hex ' +
  '(make one: openssl rand -base64 32)'

export function isEncryption(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { keys, acceptPlaintext = false, ...unknown } = value as Partial<Encryption>
  if (Object.keys(unknown).length > 0 || typeof acceptPlaintext !== 'boolean') return false
  return Array.isArray(keys) && keys.length > 0 && keys.every((key) => toKey(key) !== undefined)
}

/** @param encryption checked with `isEncryption` */
export function codecOf(encryption: Encryption | undefined): Codec {
  if (encryption === undefined) return PLAIN
  return aes256gcm(
    encryption.keys.map((key) => toKey(key) as Buffer),
    encryption.acceptPlaintext ?? false,
  )
}

function toKey(key: unknown): Buffer | undefined {
  const bytes = typeof key === 'string' ? fromText(key) : key
  if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES || isWeak(bytes)) return undefined
  // A copy: the caller may wipe his.
  return Buffer.from(bytes)
}

function fromText(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[\w\-+/]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

/** Letters only is a text, of which 32 bytes are far less than 256 bits. */
function isWeak(bytes: Uint8Array): boolean {
  return new Set(bytes).size < LEAST_DIFFERENT_BYTES || bytes.every((byte) => byte >= 0x20 && byte < 0x7f)
}
