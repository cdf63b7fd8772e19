import type { ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { DEVICE_BINDING_FIELD, DEVICE_KEY_FIELD } from '../../hash/bookkeeping.js'
import { parseDeviceBinding } from '../../hash/device-field.js'
import { newSecret } from '../../hash/renewal-field.js'
import { isSameOrigin } from '../../pages/same-origin.js'
import type { StoreAccess } from '../../requests/store-access.js'
import { abandonSession, type SessionRequest, type WithSession } from '../session-request.js'
import { boundAttributes, boundValue, setBoundCookie } from './bound-cookie.js'
import { deviceIdentifier, keyFrom } from './device-key.js'
import type { DeviceOptions } from './device-options.js'
import { type DeviceProof, isSignedBy, readProof } from './device-proof.js'
import { quoted, structuredText } from './structured-text.js'

/**
 * Answers a browser that registers its key, or refreshes its bound cookie (W3C Device Bound Session Credentials, "Server
 * considerations").
 *
 * The request is the browser's own, in the background, so it neither prolongs the session nor gets its cookie: a
 * forgotten tab would keep a session for ever. What Redis holds decides, because a copy in this process may be older.
 */
export class DeviceEndpoint {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #store: StoreAccess
  readonly #options: DeviceOptions
  /** undefined: the request came without one. */
  readonly #session: object | undefined

  constructor(req: WithSession<SessionRequest>, res: ServerResponse, store: StoreAccess, options: DeviceOptions) {
    this.#req = req
    this.#res = res
    this.#store = store
    this.#options = options
    this.#session = store.state.isLoaded(req.session) ? req.session : undefined
  }

  /** @throws the error of the failed Redis command; the browser keeps its key then, and comes again */
  async answer(): Promise<void> {
    await this.#store.arrivals.endReused(this.#req)
    abandonSession(this.#req)
    const { headers } = this.#req
    const id = structuredText(headers['sec-secure-session-id'])
    const jwt = structuredText(headers['secure-session-response'])
    const proof = typeof jwt === 'string' ? readProof(jwt) : jwt
    if (this.#isForeign()) return this.#refuse(403)
    if (id === null || proof === null) return this.#refuse(400)
    return id === undefined ? this.#register(proof) : this.#refresh(id, proof)
  }

  async #register(proof: DeviceProof | undefined): Promise<void> {
    const session = this.#session
    if (proof?.key === undefined) return this.#refuse(400)
    if (session === undefined) return this.#refuse(403)
    if (!this.#isSigned(session, proof, proof.key)) return this.#refuse(400)
    const secret = newSecret()
    const reply = await this.#store.devices.bind(session, proof.key, proof.challenge, secret)
    if (reply.kind === 'other-key') this.#mismatch(session, 'key')
    if (reply.kind !== 'bound') return this.#refuse(403)
    this.#store.announce('bound', { handle: this.#store.state.handleOf(session) })
    this.#instruct(proof.key, boundValue(secret, reply.nowMs))
  }

  async #refresh(id: string, proof: DeviceProof | undefined): Promise<void> {
    const session = this.#session
    if (session === undefined) return this.#endUnlessRotated()
    const key = this.#store.fields.marked(session, DEVICE_KEY_FIELD)
    const binding = parseDeviceBinding(this.#store.fields.marked(session, DEVICE_BINDING_FIELD))
    if (proof === undefined || !key || binding === null || id !== deviceIdentifier(key)) {
      return this.#challenge(session, id)
    }
    if (proof.key !== undefined) {
      if (proof.key !== key) this.#mismatch(session, 'key')
      return this.#refuse(400)
    }
    if (!this.#isSigned(session, proof, key)) return this.#refuse(400)
    const reply = await this.#store.devices.prove(session, key, proof.challenge)
    if (reply.kind === 'challenge') return this.#demand(reply.challenge, id)
    if (reply.kind !== 'proven') return this.#end()
    this.#instruct(key, boundValue(binding.secret, reply.nowMs))
  }

  /**
   * Asks for a proof. A browser that means another session, which has ended or whose user has changed, is told to forget
   * it.
   */
  async #challenge(session: object, id: string): Promise<void> {
    const reply = await this.#store.devices.challenge(session)
    if (reply.kind !== 'challenge' || id !== deviceIdentifier(reply.key)) return this.#end()
    this.#demand(reply.challenge, id)
  }

  /** Whether a page of another origin has sent the request. A browser's own request says that it has not. */
  #isForeign(): boolean {
    const { origin, 'sec-fetch-site': site } = this.#req.headers
    return (origin !== undefined || site !== undefined) && !isSameOrigin(this.#req)
  }

  #isSigned(session: object, proof: DeviceProof, key: string): boolean {
    const publicKey = keyFrom(key)
    if (publicKey !== null && isSignedBy(proof, publicKey)) return true
    this.#mismatch(session, 'signature')
    return false
  }

  #mismatch(session: object, reason: 'key' | 'signature'): void {
    this.#store.announce('device-mismatch', { handle: this.#store.state.handleOf(session), reason })
  }

  #demand(challenge: string, id: string): void {
    this.#res.setHeader('Secure-Session-Challenge', `${quoted(challenge)};id=${quoted(id)}`)
    this.#refuse(403)
  }

  #refuse(status: 400 | 403 | 503): void {
    this.#send(status, undefined)
  }

  #instruct(key: string, value: string): void {
    const { path, name } = this.#options
    const { host } = this.#req.headers
    // A proxy in front may have changed the host; without an origin, the browser takes the one that it has asked.
    const isOwnHost = (this.#req.socket as Partial<TLSSocket>).encrypted === true && host !== undefined
    this.#res.appendHeader('Set-Cookie', setBoundCookie(this.#options, value))
    this.#send(200, {
      session_identifier: deviceIdentifier(key),
      refresh_url: path,
      scope: { ...(isOwnHost && { origin: `https://${host}` }), include_site: false, scope_specification: [] },
      credentials: [{ type: 'cookie', name, attributes: boundAttributes(this.#options) }],
    })
  }

  /** The session may go on under an id that the browser is only just getting (`rotateSession`): it has to come again. */
  async #endUnlessRotated(): Promise<void> {
    if (await this.#store.arrivals.cameWithRotatedId(this.#req)) this.#refuse(503)
    else this.#end()
  }

  #end(): void {
    // With a session, the bound cookie may belong to it rather than to the one that the browser means.
    if (this.#session === undefined) this.#res.appendHeader('Set-Cookie', setBoundCookie(this.#options))
    this.#send(200, { continue: false })
  }

  /** No other origin may embed the answer, which would tell it whether somebody is logged in. */
  #send(status: number, body: object | undefined): void {
    const res = this.#res
    res.statusCode = status
    res.setHeader('Cache-Control', 'no-store')
    res.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
    res.setHeader('X-Frame-Options', 'DENY')
    if (body !== undefined) res.setHeader('Content-Type', 'application/json; charset=utf-8')
    res.end(body === undefined ? '' : JSON.stringify(body))
  }
}
