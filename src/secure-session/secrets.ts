import { hkdfSync } from 'node:crypto'

const LEAST_CHARACTERS = 32
/** Of 32 random digits about 10 differ, of hex more; fewer than this is 'aaaa…', or a word repeated. */
const LEAST_DIFFERENT = 8

/**
 * Current first.
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
  if (typeof secret !== 'string' || secret.length < LEAST_CHARACTERS) return false
  return new Set(secret).size >= LEAST_DIFFERENT
}

/**
 * A key for one purpose from each secret (HKDF, RFC 5869), so that one list replaces everything at once, and what one
 * purpose gives away is of no use for another. Cookies are signed with the secrets themselves, as `session()` does.
 */
export function derivedKeys(secrets: readonly string[], purpose: 'hashIds' | 'bindClient'): string[] {
  const info = `connect-redis-hash secureSession ${purpose}`
  return secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', info, 32)).toString('base64url'))
}
