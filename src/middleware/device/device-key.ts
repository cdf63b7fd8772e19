import { createHash, createPublicKey, ECDH, type KeyObject } from 'node:crypto'

const CURVE = 'prime256v1'

/**
 * Reads a public key on the curve P-256 from a JSON Web Key (RFC 7518, 6.2).
 *
 * @returns the compressed point: 44 characters of base64url, as the field `@dk` holds it; null if it is no such key
 */
export function keyText(jwk: unknown): string | null {
  const { kty, crv, x, y } = (jwk ?? {}) as Record<string, unknown>
  if (kty !== 'EC' || crv !== 'P-256' || !isCoordinate(x) || !isCoordinate(y)) return null
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
  try {
    // Fails for a point that is not on the curve.
    createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })
    return ECDH.convertKey(point, CURVE, undefined, 'base64url', 'compressed') as string
  } catch {
    return null
  }
}

/** Reads the field `@dk`; null if it holds no key. */
export function keyFrom(text: string): KeyObject | null {
  try {
    const point = ECDH.convertKey(text, CURVE, 'base64url', undefined, 'uncompressed') as Buffer
    const x = point.toString('base64url', 1, 33)
    const y = point.toString('base64url', 33)
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
  } catch {
    return null
  }
}

/**
 * The name by which the browser knows the session. It depends on the key alone, so that it stays the same when the
 * session gets a new id, and needs no field.
 */
export function deviceIdentifier(key: string): string {
  return createHash('sha256').update(`connect-redis-hash device ${key}`).digest('base64url').slice(0, 22)
}

/** 32 bytes in base64url. */
function isCoordinate(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{43}$/.test(value)
}
