import { type KeyObject, verify } from 'node:crypto'
import { keyText } from './device-key.js'

/** Characters. Chromium's proofs have 400 at a registration, 200 at a refresh. */
const MAX_LENGTH = 2048

/** What a browser has signed: a DBSC proof, which is a JWT. */
export interface DeviceProof {
  /** The challenge. */
  challenge: string
  /** The key that comes with a registration, in the form of the field `@dk`; undefined if the proof brings none. */
  key: string | undefined
  readonly signed: Buffer
  readonly signature: Buffer
}

/**
 * Reads a DBSC proof (W3C Device Bound Session Credentials, "DBSC Proof JWT Syntax"). Its signature must be verified
 * with `isSignedBy`.
 *
 * Only ES256 is accepted, because only ES256 is offered. A proof that chooses its own algorithm, such as `none`, or RS256
 * with the text of the public key, is no proof (RFC 8725, 3.1).
 *
 * @returns null for anything else than a complete proof with this algorithm
 */
export function readProof(jwt: string): DeviceProof | null {
  if (jwt.length > MAX_LENGTH) return null
  const parts = jwt.split('.')
  const [head, body, signature] = parts.map(bytesOf)
  if (parts.length !== 3 || !head || !body || signature?.length !== 64) return null
  const header = objectIn(head)
  const { jti } = objectIn(body) ?? {}
  if (header?.typ !== 'dbsc+jwt' || header.alg !== 'ES256' || 'crit' in header) return null
  if (typeof jti !== 'string' || jti === '') return null
  const key = 'jwk' in header ? keyText(header.jwk) : undefined
  if (key === null) return null
  return { challenge: jti, key, signed: Buffer.from(parts.slice(0, 2).join('.')), signature }
}

export function isSignedBy({ signed, signature }: DeviceProof, key: KeyObject): boolean {
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

function bytesOf(part: string): Buffer | null {
  if (!/^[\w-]+$/.test(part)) return null
  const bytes = Buffer.from(part, 'base64url')
  // One proof has one text: no unused bits at its end may differ.
  return bytes.toString('base64url') === part ? bytes : null
}

function objectIn(bytes: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null
  } catch {
    return null
  }
}
