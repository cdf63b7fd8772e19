import { hkdfSync } from 'node:crypto'

const MIN_CHARACTERS = 32
/**
 * Number of different characters. 32 random decimal digits contain about 10, hexadecimal digits more. Fewer than this
 * means 'aaaa…' or a repeated word.
 */
const MIN_DIFFERENT = 8

/**
 * Checks the option `secret` and returns its secrets, current first.
 *
 * @throws TypeError that does not repeat the secret
 */
export function checkedSecrets(secret: unknown): readonly string[] {
  const secrets: unknown = typeof secret === 'string' ? [secret] : secret
  if (!Array.isArray(secrets) || secrets.length === 0 || !secrets.every(isStrong)) {
    throw new TypeError(
      '"secret" option must be a random text of at least 32 characters, or a list of them, current first ' +
        '(make one: openssl rand -base64 32)',
    )
  }
  return [...secrets]
}

function isStrong(secret: unknown): boolean {
  if (typeof secret !== 'string' || secret.length < MIN_CHARACTERS) return false
  return new Set(secret).size >= MIN_DIFFERENT
}

/**
 * Derives one key per secret and purpose (HKDF, RFC 5869). So one list of secrets replaces all keys, and a key that
 * leaks from one purpose is useless for another. The cookie is signed with the secrets themselves, as `session()` does
 * it.
 */
export function derivedKeys(secrets: readonly string[], purpose: 'hashIds' | 'bindClient' | 'acceptFrom'): string[] {
  const info = `connect-redis-hash secureSession ${purpose}`
  return secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', info, 32)).toString('base64url'))
}
