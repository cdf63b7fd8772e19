import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A browser's key, and the proofs that it signs with it (W3C Device Bound Session Credentials, "DBSC Proof JWT"). */
export class Device {
  readonly jwk: { kty: string; crv: string; x: string; y: string }
  readonly #key: KeyObject

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.jwk = publicKey.export({ format: 'jwk' }) as Device['jwk']
    this.#key = privateKey
  }

  /** The proof of a registration. */
  registration(challenge: string, header: object = {}, body: object = {}): string {
    return this.proof(challenge, { jwk: this.jwk, ...header }, body)
  }

  /** The proof of a refresh. `header` and `body` replace parts of it. */
  proof(challenge: string, header: object = {}, body: object = {}): string {
    return this.signed(encoded({ alg: 'ES256', typ: 'dbsc+jwt', ...header }), encoded({ jti: challenge, ...body }))
  }

  signed(header: string, body: string): string {
    const input = `${header}.${body}`
    const signature = sign('sha256', Buffer.from(input), { key: this.#key, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }
}
