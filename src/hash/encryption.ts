import { aes256gcm, type Codec, PLAIN } from './codec.js'

/** How each property of a session is encrypted with AES-256-GCM before it is sent to Redis. */
export interface Encryption {
  /**
   * One or more keys. The first key encrypts. The others only decrypt: keep an old key until all its sessions have been
   * saved again or have expired. A key is 32 random bytes: a Buffer, or text in base64 or hex
   * (`openssl rand -base64 32`). Passphrases are refused, because an attacker with a dump of Redis could guess them.
   */
  keys: readonly (string | Uint8Array)[]
  /**
   * true: also accepts sessions that were written before encryption was turned on, and encrypts them at their next
   * save. Default false. WARNING: while this is true, anybody who can write to Redis can forge a session (for example
   * with the `userId` of an administrator, in plain text) and move values between sessions. Remove the option as soon
   * as the old sessions have been saved again or have expired.
   */
  acceptPlaintext?: boolean
  /**
   * true: reads what is encrypted, but writes plain text: the way back to a store without encryption. Implies
   * `acceptPlaintext`, with its warning. Default false.
   */
  decryptOnly?: boolean
}

const KEY_BYTES = 32
/** About 30 of 32 random bytes are different. Fewer than this means `Buffer.alloc(32)`, or a repeated word. */
const MIN_DIFFERENT_BYTES = 16

export const ENCRYPTION_MUST_BE =
  '{ keys: [current, ...old], acceptPlaintext?: boolean, decryptOnly?: boolean }, each key 32 random bytes as a Buffer, base64 or hex ' +
  '(make one: openssl rand -base64 32)'

export function isEncryption(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { keys, acceptPlaintext = false, decryptOnly = false, ...unknown } = value as Partial<Encryption>
  if (Object.keys(unknown).length > 0) return false
  if (typeof acceptPlaintext !== 'boolean' || typeof decryptOnly !== 'boolean') return false
  return Array.isArray(keys) && keys.length > 0 && keys.every((key) => toKey(key) !== undefined)
}

/** @param encryption checked with `isEncryption` */
export function codecOf(encryption: Encryption | undefined): Codec {
  if (encryption === undefined) return PLAIN
  const { keys, acceptPlaintext = false, decryptOnly = false } = encryption
  return aes256gcm(
    keys.map((key) => toKey(key) as Buffer),
    decryptOnly ? 'decrypt-only' : acceptPlaintext ? 'accept-plaintext' : 'strict',
  )
}

function toKey(key: unknown): Buffer | undefined {
  const bytes = typeof key === 'string' ? fromText(key) : key
  if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES || isWeak(bytes)) return undefined
  // Copy the key, because the caller may erase theirs.
  return Buffer.from(bytes)
}

function fromText(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[\w\-+/]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

/** Whether a key can be guessed. 32 bytes of readable text have far less than 256 bits of entropy. */
function isWeak(bytes: Uint8Array): boolean {
  return new Set(bytes).size < MIN_DIFFERENT_BYTES || bytes.every((byte) => byte >= 0x20 && byte < 0x7f)
}
