import type { ServerResponse } from 'node:http'
import { SessionStoreError } from '../errors.js'
import { DEVICE_CHALLENGE_FIELD, DEVICE_KEY_FIELD } from '../hash/bookkeeping.js'
import { challengeText } from '../hash/device-field.js'
import { newSecret } from '../hash/renewal-field.js'
import { attachment } from '../requests/attachment.js'
import { destructionIn } from '../requests/destroyed-sessions.js'
import type { StoreAccess } from '../requests/store-access.js'
import { cookieValue } from '../signed-cookie.js'
import { alreadyRan } from './already-ran.js'
import { addHeader, beforeResponse } from './before-response.js'
import { setBoundCookie } from './device/bound-cookie.js'
import { isLedHere, sendComeAgain } from './device/come-again.js'
import { DeviceEndpoint } from './device/device-endpoint.js'
import { type BindDeviceOptions, checkedDeviceOptions, type DeviceOptions, handle } from './device/device-options.js'
import { admitDevice, type DeviceRequest } from './device/device-session.js'
import { quoted } from './device/structured-text.js'
import { dropUnused } from './drop-unused.js'
import { forbidCaching } from './forbid-caching.js'
import { hasJustLoggedIn } from './login-time.js'
import { isExpired } from './logout/expired-cookie.js'
import { passWithoutSession } from './pass-without-session.js'
import { abandonSession, hasSession, type Middleware, type SessionRequest, storeOf } from './session-request.js'

const visits = attachment<DeviceVisit>()

/**
 * Binds each session to the device that has logged in, if the browser supports this. A stolen cookie is then worth
 * nothing after a few minutes (W3C Device Bound Session Credentials). The browser makes a key that it cannot give away,
 * and proves every few minutes that it still has it. For each proof it gets a cookie that lasts until the next one. A
 * request of a bound session without that cookie is like one without a session. The session itself does not end: the
 * owner's browser goes on using it.
 *
 * Nothing changes for browsers that do not support this. Mount it right after `session()`: a thief without the key then
 * cannot make `bindClient` end the session. The site needs TLS. `bindDevice.offer(req, res)` offers the registration
 * after a login that neither `rotateOnLogin` nor `rotateSession` sees.
 *
 * Redis commands: one script for each registration, two for each refresh, and one for the first request with a bound
 * cookie; otherwise none.
 *
 * @throws TypeError for unknown or malformed options
 */
export function bindDevice(options: BindDeviceOptions = {}): Middleware {
  const resolved = checkedDeviceOptions(options)
  const pass = passWithoutSession('bindDevice()')

  return function bindDevice(request, res, next) {
    const req = request as DeviceRequest
    const isEndpoint = req.method === 'POST' && pathOf(req) === resolved.path
    if (!hasSession(req)) return isEndpoint ? next(unavailable()) : pass(request, res, next)
    if (alreadyRan(req, 'bindDevice()', pass)) return next()
    const store = storeOf(req, 'bindDevice()')
    forbidCaching(req, res)
    if (isEndpoint) {
      new DeviceEndpoint(req, res, store, resolved).answer().catch(next)
      return
    }
    const visit = new DeviceVisit(req, res, next, store, resolved)
    visits.set(req, visit)
    visit.enter()
  }
}

/**
 * Offers the browser of this request to register a key for the session, after a login that neither `rotateOnLogin` nor
 * `rotateSession` sees. WARNING: call it only in a request in which the user has just proved who they are. The client
 * that receives the offer can bind the session to its own device.
 *
 * @returns true; false if the session is bound already
 * @throws Error if `bindDevice()` has not run for this request
 */
bindDevice.offer = function offer(req: object, _res: object): boolean {
  const visit = visits.get(req)
  const { session } = req as SessionRequest
  if (visit === undefined || !session) throw new Error('bindDevice.offer() needs bindDevice() and a session before it')
  return visit.offer(session)
}

/** One request, and the device that its session is bound to. */
class DeviceVisit {
  readonly #req: DeviceRequest
  readonly #res: ServerResponse
  readonly #next: (err?: unknown) => void
  readonly #store: StoreAccess
  readonly #options: DeviceOptions
  /** The key of the session that the request was admitted with. */
  #key: string | undefined
  /** What was noted of the challenge that the response offers to sign. */
  #offered: string | undefined

  constructor(
    req: DeviceRequest,
    res: ServerResponse,
    next: (err?: unknown) => void,
    store: StoreAccess,
    options: DeviceOptions,
  ) {
    this.#req = req
    this.#res = res
    this.#next = next
    this.#store = store
    this.#options = options
    store.hooks.onNewSession(req, (session) => {
      if (hasJustLoggedIn(session)) this.offer(session)
    })
    beforeResponse(req, res, next, 'device', () => this.#settle())
  }

  enter(): void {
    const session = this.#req.session as NonNullable<SessionRequest['session']>
    const admitted = admitDevice(this.#req, session, this.#store, this.#options)
    if (typeof admitted === 'boolean') this.#goOn(session, admitted)
    else admitted.then((is) => this.#goOn(session, is)).catch((err: unknown) => this.#fail(err))
  }

  #fail(err: unknown): void {
    abandonSession(this.#req)
    this.#next(err)
  }

  #goOn(session: object, isAdmitted: boolean): void {
    if (isAdmitted) {
      this.#key = this.#store.fields.marked(session, DEVICE_KEY_FIELD)
      this.#next()
    } else if (isLedHere(this.#req)) {
      abandonSession(this.#req)
      sendComeAgain(this.#req, this.#res)
    } else {
      this.#goOnWithout()
    }
  }

  #goOnWithout(): void {
    const { sessionStore } = this.#req as { sessionStore?: { generate(req: object): void } }
    sessionStore?.generate(this.#req)
    dropUnused(this.#req, this.#res, this.#next, this.#store)
    const { onUnbound } = this.#options
    if (onUnbound === undefined) this.#next()
    else handle(onUnbound, this.#req, this.#res, this.#next)
  }

  offer(session: object): boolean {
    const { fields, devices } = this.#store
    if (fields.marked(session, DEVICE_KEY_FIELD)) return false
    this.#offered = challengeText(newSecret(), devices.knownMs(session) ?? Date.now())
    fields.mark(session, DEVICE_CHALLENGE_FIELD, this.#offered)
    return true
  }

  #isBound(session: NonNullable<SessionRequest['session']>): boolean {
    return this.#store.fields.marked(session, DEVICE_KEY_FIELD) === this.#key && !isExpired(session.cookie)
  }

  /** The visitor logs out, but their session was gone already. */
  #isLateLogout(): boolean {
    const isLogout = !this.#req.session && destructionIn(this.#req) !== undefined
    return isLogout && cookieValue(this.#req.headers.cookie ?? '', this.#options.name) !== undefined
  }

  #settle(): Promise<void> | undefined {
    const { session } = this.#req
    const { fields } = this.#store
    // The session has ended, or another user's has taken its place. The browser forgets the key at its next refresh.
    if (this.#key ? !session || !this.#isBound(session) : this.#isLateLogout()) {
      addHeader(this.#res, 'Set-Cookie', setBoundCookie(this.#options))
    }
    if (this.#offered === undefined || !session) return undefined
    if (fields.marked(session, DEVICE_CHALLENGE_FIELD) !== this.#offered) return undefined
    const [challenge = ''] = this.#offered.split(' ')
    const registration = `(ES256);path=${quoted(this.#options.path)};challenge=${quoted(challenge)}`
    addHeader(this.#res, 'Secure-Session-Registration', registration)
    // The login has saved the session with the challenge already, unless it was offered afterwards.
    return fields.saveMarks(session)
  }
}

/** The path of a request, also below the path of a router. */
function pathOf({ originalUrl, url = '' }: DeviceRequest): string {
  const [path = ''] = (originalUrl ?? url).split('?', 1)
  return path
}

/** With any other answer than one of 500 or more, the browser would forget its key. */
function unavailable(): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_UNAVAILABLE',
    'no session can be loaded now, so no device can be recognised',
  )
}
