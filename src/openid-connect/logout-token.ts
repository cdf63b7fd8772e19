/** A token that does not end any session. The message may be told to the provider. */
export class InvalidToken extends Error {}

/** What a logout token says (OpenID Connect Back-Channel Logout 1.0, 2.4). At least one of `sid` and `sub` is there. */
export interface LogoutToken {
  /** Unique for each token of the issuer. */
  id: string
  /** The provider's session. */
  sid: string | undefined
  /** The user. */
  sub: string | undefined
  /** Milliseconds since 1970 from which on the token is refused for its age. */
  usableUntilMs: number
}

export interface Expected {
  issuer: string
  audiences: readonly string[]
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const TYPES = ['logout+jwt', 'application/logout+jwt', 'jwt']

/** Seconds. How far the clocks of the provider and of this server may differ. */
const TOLERANCE = 60
/** Seconds. Providers send a token at once, and let it expire within minutes. */
const MAX_AGE = 3600

/**
 * Checks the header of a token before anything else is done with it. A token of another type, such as an access token, must
 * not be taken for a logout token (RFC 8725, 3.11). Providers that name no type, or `JWT`, are common.
 *
 * @throws InvalidToken
 */
export function checkHeader(token: string): void {
  const { typ, alg } = objectIn(token.split('.', 1)[0] ?? '') ?? {}
  if (typeof alg !== 'string' || alg.toLowerCase() === 'none') throw new InvalidToken('the token must be signed')
  if (typ !== undefined && !(typeof typ === 'string' && TYPES.includes(typ.toLowerCase()))) {
    throw new InvalidToken('the token is of another type than logout+jwt')
  }
}

/**
 * Checks the claims of a token whose signature has been verified (Back-Channel Logout 1.0, 2.6).
 *
 * @throws InvalidToken
 */
export function logoutToken(claims: unknown, expected: Expected, nowMs: number): LogoutToken {
  // A function that only tells whether the signature is right must not let every claim pass.
  refuseIf(typeof claims !== 'object' || claims === null, 'the token has no claims')
  const { iss, aud, iat, exp, jti, nonce, events, sid, sub } = claims as Record<string, unknown>
  const now = nowMs / 1000
  refuseIf(iss !== expected.issuer, 'iss is not the issuer that is expected')
  refuseIf(!listOf(aud).some((one) => expected.audiences.includes(one as string)), 'aud does not name this client')
  refuseIf(!isTime(iat) || iat > now + TOLERANCE, 'iat is missing, or in the future')
  refuseIf(!isTime(exp) || exp <= now - TOLERANCE, 'exp is missing, or over')
  refuseIf((iat as number) <= now - MAX_AGE - TOLERANCE, 'iat is too long ago')
  refuseIf(!isText(jti), 'jti is missing')
  refuseIf(nonce !== undefined, 'nonce must not be there')
  refuseIf(!isLogout(events), 'events does not name a back-channel logout')
  refuseIf(sid === undefined && sub === undefined, 'sid and sub are missing')
  refuseIf((sid !== undefined && !isText(sid)) || (sub !== undefined && !isText(sub)), 'sid or sub is no text')
  const usableUntil = Math.min(exp as number, (iat as number) + MAX_AGE) + TOLERANCE
  return { id: jti as string, sid: sid as string, sub: sub as string, usableUntilMs: usableUntil * 1000 }
}

function refuseIf(isWrong: boolean, message: string): void {
  if (isWrong) throw new InvalidToken(message)
}

function isLogout(events: unknown): boolean {
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, EVENT)) return false
  const event = (events as Record<string, unknown>)[EVENT]
  return typeof event === 'object' && event !== null && !Array.isArray(event)
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function objectIn(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}
