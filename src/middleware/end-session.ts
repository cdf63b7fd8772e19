import type { ServerResponse } from 'node:http'
import type { Cookie } from 'express-session'
import { checkNames } from '../known-options.js'
import { destructionIn, noteDestroyed } from '../requests/destroyed-sessions.js'
import type { StoreAccess } from '../requests/store-access.js'
import type { RedisStore } from '../store.js'
import { beginExpiry, cookieName, expiredCookie } from './logout/expired-cookie.js'
import { abandonSession, type SessionRequest, storeOf } from './session-request.js'
import { isStandIn } from './stand-in.js'

/** What a browser can delete of a site's data (W3C Clear Site Data). */
export type SiteData = 'cache' | 'cookies' | 'storage' | 'executionContexts' | 'clientHints' | 'prefetchCache' | '*'

export interface EndSessionOptions {
  /**
   * What else the browser shall delete of this site's data: true for cookies and storage, or a list. Browsers obey over
   * TLS only. WARNING: `cookies` deletes the cookies of the whole registrable domain, those of other applications as
   * well. Default false: only the session's cookies.
   */
  clearSiteData?: boolean | readonly SiteData[]
}

const NAMES: Record<keyof EndSessionOptions, 0> = { clearSiteData: 0 }
const SITE_DATA: Record<SiteData, 0> = {
  cache: 0,
  cookies: 0,
  storage: 0,
  executionContexts: 0,
  clientHints: 0,
  prefetchCache: 0,
  '*': 0,
}

/**
 * Logs the visitor of this request out: ends their session, and makes the browser delete its cookie, and that of
 * `bindDevice`. If the session is gone already, it still makes the browser delete the cookies. The response gets
 * `Cache-Control: no-store`. Afterwards the request has no session.
 *
 * @returns true; false if the response had begun, or if there is none (a socket), so that the browser keeps the cookie.
 *   The cookie is worth nothing then, because the session has ended.
 * @throws SessionStoreError if a Redis command fails: the session may still exist, and the browser keeps its cookie.
 *   TypeError for unknown or malformed options
 */
export async function endSession(request: object, response: object, options: EndSessionOptions = {}): Promise<boolean> {
  const [req, res] = [request as SessionRequest, response as ServerResponse]
  const siteData = checkedSiteData(options)
  const store = storeOf(req, 'endSession()')
  const cookie = cookieOf(req, store)
  const name = cookieName(req, [req.sessionID, store.arrivals.missedId(req)])
  await destroy(req, store)
  if (isStandIn(res) || res.headersSent) return false
  beginExpiry(req, res)
  res.setHeader('Cache-Control', 'no-store')
  if (name !== undefined) res.appendHeader('Set-Cookie', expiredCookie(name, cookie))
  if (siteData !== undefined) res.setHeader('Clear-Site-Data', siteData)
  return true
}

/** Returns the attributes of the session cookie. A session that is no longer there leaves those of a new one. */
function cookieOf(req: SessionRequest, store: StoreAccess): Cookie {
  const known = req.session ?? destructionIn(req)?.session
  if (known !== undefined) return known.cookie
  const { sessionID } = req
  ;(store.generator as (req: SessionRequest) => void)(req)
  const { cookie } = req.session as NonNullable<SessionRequest['session']>
  delete req.session
  if (sessionID !== undefined) req.sessionID = sessionID
  return cookie
}

async function destroy(req: SessionRequest, store: StoreAccess): Promise<void> {
  const { session } = req
  const earlier = session ? undefined : destructionIn(req)
  try {
    await earlier?.done
    if (earlier?.failure) throw earlier.failure as Error
    if (session && store.state.isStored(session)) {
      await new Promise<void>((resolve, reject) => {
        session.destroy((err) => (err ? reject(err) : resolve()))
      })
    }
    // The session may have gone on under another id before this request came (requests/arrivals.ts).
    else await endMissed(req, store)
    if (session) noteDestroyed(req, session)
  } finally {
    abandonSession(req)
  }
}

async function endMissed(req: SessionRequest, store: StoreAccess): Promise<void> {
  const missed = store.arrivals.missedId(req)
  if (missed !== undefined) await (req.sessionStore as RedisStore).destroy(missed)
}

/** @throws TypeError that names the option */
function checkedSiteData(options: EndSessionOptions): string | undefined {
  checkNames('endSession', options, NAMES, 'endSession(req, res, { clearSiteData: true })')
  const { clearSiteData = false } = options
  if (clearSiteData === false) return undefined
  const types: unknown = clearSiteData === true ? ['cookies', 'storage'] : clearSiteData
  const isList = Array.isArray(types) && types.length > 0
  if (!isList || !types.every((type) => typeof type === 'string' && Object.hasOwn(SITE_DATA, type))) {
    throw new TypeError(`"clearSiteData" option must be true, false or a list of ${Object.keys(SITE_DATA).join(', ')}`)
  }
  return types.map((type) => `"${type}"`).join(', ')
}
