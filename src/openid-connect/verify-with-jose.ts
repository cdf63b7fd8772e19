import { firstInstalled } from '../redis/connect/library.js'
import { InvalidToken } from './logout-token.js'

/**
 * Returns the claims of a token whose signature is right, or a promise of them; throws or rejects for any other token.
 */
export type VerifyToken = (token: string) => Promise<Record<string, unknown>> | Record<string, unknown>

/** The part of jose that is used. Types of an optional peer must not appear in ours. */
interface Jose {
  createRemoteJWKSet(url: URL): unknown
  createLocalJWKSet(keys: object): unknown
  compactVerify(token: string, keys: unknown, options: object): Promise<{ payload: Uint8Array }>
}

/** Signatures that a public key verifies. With HS256, the public key could serve as the secret (RFC 8725, 2.1). */
const ALGORITHMS = ['RS', 'PS', 'ES'].flatMap((family) => [256, 384, 512].map((bits) => family + bits))

/** Codes of jose for a token that is wrong. Any other failure is none of the token: its keys could not be fetched. */
const WRONG = /^ERR_(JWS|JWT|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS|JOSE_ALG|JOSE_NOT_SUPPORTED)/

/**
 * Makes a function that verifies tokens with the provider's public keys.
 *
 * @param jwks address of the keys, or the keys (JSON Web Key Set, RFC 7517)
 * @throws Error that says what to install; TypeError for keys that are none
 */
export function verifyWithJose(jwks: string | URL | { readonly keys: readonly object[] }): VerifyToken {
  const jose = firstInstalled(['jose']) as Jose | undefined
  if (jose === undefined) {
    throw new Error('backchannelLogout needs the package jose: npm install jose (or give it the option "verify")')
  }
  const isUrl = typeof jwks === 'string' || jwks instanceof URL
  const keys = isUrl ? jose.createRemoteJWKSet(new URL(jwks)) : jose.createLocalJWKSet(jwks)
  const options = { algorithms: [...ALGORITHMS, 'EdDSA', 'Ed25519'] }

  return async function verifyWithJose(token) {
    try {
      const { payload } = await jose.compactVerify(token, keys, options)
      return JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>
    } catch (err) {
      const code = String((err as { code?: unknown }).code)
      if (err instanceof SyntaxError || WRONG.test(code)) throw new InvalidToken('the signature is not right')
      throw err
    }
  }
}
