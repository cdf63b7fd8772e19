import { createHmac } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sign } from 'cookie-signature'
import session from 'express-session'
import type { PlainCookie } from '../hash/live-cookie.js'
import { parseSid } from '../ids/sid.js'
import { addHeader } from '../middleware/before-response.js'
import type { SessionRequest } from '../middleware/session-request.js'
import type { StoreAccess } from '../requests/store-access.js'
import { type Adopted, adoptedFirst } from '../session/adopt.js'
import { sidIn } from '../signed-cookie.js'
import type { AcceptFrom } from './accept-from.js'
import type { SessionCookie } from './cookie.js'
import { isEncrypted } from './refuse-plain-http.js'

interface NewCookie {
  name: string
  /** Current first. */
  secrets: readonly string[]
  cookie: SessionCookie
}

/** Takes over sessions whose visitors come with the cookie that the application had before (`acceptFrom`). */
export class OldCookie {
  readonly #store: StoreAccess
  readonly #from: AcceptFrom
  readonly #to: NewCookie

  constructor(store: StoreAccess, from: AcceptFrom, to: NewCookie) {
    this.#store = store
    this.#from = from
    this.#to = to
    const message = `${WEAKENED} ${new Date(from.untilMs).toISOString()}${isOver(from) ? ': that is over, so take it out' : ''}`
    // Deferred so that the application can attach a listener first.
    process.nextTick(() => store.announce('warning', { code: 'old-cookie-accepted', message }))
  }

  /** Moves the session of the old cookie to its new id, if the request has one and nothing better. */
  adopt(req: IncomingMessage): Promise<Adopted | null> | undefined {
    const oldSid = this.#sidIn(req)
    if (oldSid === undefined || isOver(this.#from) || !this.#canAnswer(req)) return undefined
    const sid = sidIn(req, this.#to.name, this.#to.secrets)
    const { adoption } = this.#store
    const adopt = () => adoption.adopt(oldSid, this.#from.ids, this.#firstsFor(oldSid))
    if (sid === undefined) return adopt()
    return adoption.isThere(sid).then((isThere) => (isThere ? null : adopt()))
  }

  /** Runs `work` while the request seems to have come with the new cookie: express-session reads it at once. */
  as<T>(req: IncomingMessage, { sid }: Adopted, work: () => T): T {
    const { headers } = req
    const { cookie } = headers
    const value = encodeURIComponent(`s:${sign(sid, this.#to.secrets[0] as string)}`)
    headers.cookie = `${this.#to.name}=${value}${cookie === undefined ? '' : `; ${cookie}`}`
    try {
      return work()
    } finally {
      if (cookie === undefined) delete headers.cookie
      else headers.cookie = cookie
    }
  }

  /**
   * Called once the session is loaded: gives it the attributes of the new cookie, or notes that the new cookie has come,
   * and lets the old one end with the response.
   */
  settle(req: SessionRequest, res: ServerResponse, adopted: Adopted | null | undefined): Promise<void> | undefined {
    if (this.#sidIn(req) !== undefined && this.#canAnswer(req))
      addHeader(res, 'Set-Cookie', this.#expired(adopted?.cookie))
    const held = req.session
    if (!held) return undefined
    if (adopted) {
      held.cookie = Reflect.construct(session.Cookie, [{ ...this.#to.cookie }]) as typeof held.cookie
      return undefined
    }
    return this.#store.adoption.confirm(req, this.#store.devices.knownMs(held) ?? Date.now())
  }

  #sidIn(req: IncomingMessage): string | undefined {
    return sidIn(req, this.#from.name, this.#from.secrets)
  }

  /** Over plain HTTP, no Secure cookie can be sent: the visitor would lose the old cookie, and not get the new one. */
  #canAnswer(req: IncomingMessage): boolean {
    return !this.#to.cookie.secure || isEncrypted(req)
  }

  #firstsFor(oldSid: string): [string, ...string[]] {
    // Renewed ids of one session lead to one new id. An application's own ids may have any text with a `~`.
    const first = parseSid(oldSid)?.first ?? oldSid
    return this.#from.keys.map((key) => adoptedFirst(createHmac('sha256', key).update(first).digest('base64url'))) as [
      string,
    ]
  }

  #expired(held: PlainCookie | undefined): string {
    const { path = '/', domain, secure, sameSite, partitioned } = this.#from.cookie ?? held ?? {}
    const attributes = [
      `${this.#from.name}=`,
      `Path=${isSendable(path) ? path : '/'}`,
      'Expires=Thu, 01 Jan 1970 00:00:00 GMT',
      'HttpOnly',
      ...(isSendable(domain) ? [`Domain=${domain}`] : []),
      ...(secure === true ? ['Secure'] : []),
      ...(sameSite === true ? ['SameSite=Strict'] : isSendable(sameSite) ? [`SameSite=${sameSite}`] : []),
      ...(partitioned === true ? ['Partitioned'] : []),
    ]
    return attributes.join('; ')
  }
}

/** Whether an attribute, which comes from Redis, can stand in a header. */
function isSendable(text: unknown): text is string {
  return typeof text === 'string' && /^[\x21-\x3a\x3c-\x7e]+$/.test(text)
}

function isOver({ untilMs }: AcceptFrom): boolean {
  return Date.now() >= untilMs
}

const WEAKENED =
  'secureSession({ acceptFrom }) accepts an older cookie, with its older secret, and a name that other sites of the domain may be able ' +
  'to plant, until'
