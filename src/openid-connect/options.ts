import { checkNames } from '../known-options.js'
import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'
import type { AnyRedisStore } from '../store.js'
import { InvalidToken } from './logout-token.js'
import { type VerifyToken, verifyWithJose } from './verify-with-jose.js'

export interface BackchannelLogoutOptions {
  /** The store of the application's sessions; with `secureSession`: `sessions.store`. */
  store: AnyRedisStore
  /**
   * Name of the index whose values are the `sid` of each session at the provider, its `sub`, or both, such as
   * `indexes: { oidc: (session) => [session.oidc?.sid, session.oidc?.sub] }`. Use one index for each provider, because
   * two providers may have the same values. Default `'oidc'`.
   */
  index?: string
  /** The provider's `issuer`, exactly as its tokens have it. */
  issuer: string
  /** The `client_id` of this application, or a list of them. */
  audience: string | readonly string[]
  /**
   * The provider's public keys: their address (`jwks_uri`), or a JSON Web Key Set. Needs the package jose, version 6.
   * Accepts the signatures RS256 to RS512, PS256 to PS512, ES256 to ES512 and Ed25519. Required without `verify`.
   */
  jwks?: string | URL | { readonly keys: readonly object[] }
  /**
   * Verifies the signature of a token, in place of `jwks`. Returns the token's claims, which are checked afterwards, or
   * a promise of them. Throws or rejects for a wrong signature.
   */
  verify?: VerifyToken
}

/** The options of `backchannelLogout`, checked and with defaults. */
export interface ResolvedBackchannelLogout {
  store: AnyRedisStore
  access: StoreAccess
  index: string
  issuer: string
  audiences: readonly string[]
  verify: VerifyToken
}

/** The compiler keeps this map complete. Any other name is a typing mistake of the caller. */
const NAMES: Record<keyof BackchannelLogoutOptions, 0> = {
  store: 0,
  index: 0,
  issuer: 0,
  audience: 0,
  jwks: 0,
  verify: 0,
}

/** @throws TypeError that names the option; Error if jose is needed and not installed */
export function checkedBackchannelLogout(options: BackchannelLogoutOptions): ResolvedBackchannelLogout {
  checkNames('backchannelLogout', options, NAMES, 'backchannelLogout({ store, issuer, audience, jwks })')
  const { store, index = 'oidc', issuer, audience, jwks, verify } = options
  const access = (store as { [STORE_ACCESS]?: StoreAccess } | null | undefined)?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError('"store" option must be a RedisStore of connect-redis-hash')
  if (!access.indexNames.includes(index)) {
    throw new TypeError(`"index" option must be an index of the store: new RedisStore({ indexes: { ${index}: ... } })`)
  }
  if (!isText(issuer))
    throw new TypeError('"issuer" option must be the issuer of the provider, such as https://id.example')
  const audiences = typeof audience === 'string' ? [audience] : audience
  if (!Array.isArray(audiences) || audiences.length === 0 || !audiences.every(isText)) {
    throw new TypeError('"audience" option must be the client_id of this application, or a list of them')
  }
  return { store, access, index, issuer, audiences, verify: checkedVerify(jwks, verify) }
}

function checkedVerify(jwks: unknown, verify: VerifyToken | undefined): VerifyToken {
  if ((jwks === undefined) === (verify === undefined)) {
    throw new TypeError('backchannelLogout needs either the "jwks" option or the "verify" option')
  }
  if (verify === undefined) {
    if (!isAddress(jwks) && !isKeySet(jwks)) {
      throw new TypeError(
        '"jwks" option must be the address of the keys of the provider (jwks_uri), or { keys: [...] }',
      )
    }
    return verifyWithJose(jwks)
  }
  if (typeof verify !== 'function') throw new TypeError('"verify" option must be a function of the token')
  return async (token) => {
    try {
      return await verify(token)
    } catch {
      throw new InvalidToken('the signature is not right')
    }
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isAddress(value: unknown): value is string | URL {
  return (typeof value === 'string' || value instanceof URL) && /^https?:$/.test(protocolOf(value))
}

function protocolOf(value: string | URL): string {
  return URL.canParse(String(value)) ? new URL(value).protocol : ''
}

function isKeySet(value: unknown): value is { keys: readonly object[] } {
  const { keys } = (value ?? {}) as { keys?: unknown }
  return Array.isArray(keys)
}
