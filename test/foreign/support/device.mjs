import { generateKeyPairSync, sign } from 'node:crypto'

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The key of a browser that binds its session to it (W3C Device Bound Session Credentials). */
export class Device {
  #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  /** @param {string} challenge */
  register(challenge) {
    return this.#proof(challenge, { jwk: this.#keys.publicKey.export({ format: 'jwk' }) })
  }

  /** @param {string} challenge */
  prove(challenge) {
    return this.#proof(challenge, {})
  }

  #proof(challenge, header) {
    const text = `${encoded({ alg: 'ES256', typ: 'dbsc+jwt', ...header })}.${encoded({ jti: challenge })}`
    const key = { key: this.#keys.privateKey, dsaEncoding: 'ieee-p1363' }
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  }
}
