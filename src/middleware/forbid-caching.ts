import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import { attachment } from '../requests/attachment.js'
import type { SessionRequest } from './session-request.js'
import { isStandIn } from './stand-in.js'

const watched = attachment<true>()

/**
 * Keeps a response that hands out the id of a live session out of every cache, whatever the handler says about caching: who gets it
 * from there would be logged in as somebody else (OWASP Session Management Cheat Sheet, "Web Content Caching"). That is any response
 * with the session cookie: of a login, a renewal, a first visit, and every one where `session()` has `rolling`.
 *
 * express-session adds its cookie inside `writeHead`, below everybody who comes after it. So it is watched there: by then, what
 * the handler has given to `writeHead` are headers of the response, too.
 */
export function keepOutOfCaches(req: SessionRequest, res: ServerResponse): void {
  if (isStandIn(res) || watched.has(res)) return
  watched.set(res, true)
  const writeHead = res.writeHead as (...args: unknown[]) => ServerResponse
  const head = (...args: unknown[]) => {
    const { sessionID } = req
    if (sessionID === undefined) return writeHead.apply(res, args)
    const stop = onCookie(res, (value) => handsOut(value, sessionID), forbidCaching)
    try {
      return writeHead.apply(res, args)
    } finally {
      stop()
    }
  }
  Object.defineProperty(res, 'writeHead', { configurable: true, enumerable: true, writable: true, value: head })
}

/** Whether a Set-Cookie header has the cookie in which express-session sends this id. */
export function handsOut(setCookie: unknown, sid: string): boolean {
  return String(setCookie ?? '').includes(encodeURIComponent(`s:${sid}.`))
}

/** @returns stops watching */
function onCookie(res: ServerResponse, isMeant: (value: unknown) => boolean, work: typeof forbidCaching): () => void {
  const own = Object.getOwnPropertyDescriptor(res, 'setHeader')
  const { setHeader } = res
  const set = (name: string, value: OutgoingHttpHeader) => {
    setHeader.call(res, name, value as string)
    if (name.toLowerCase() === 'set-cookie' && isMeant(value)) work(res)
    return res
  }
  Object.defineProperty(res, 'setHeader', { configurable: true, enumerable: true, writable: true, value: set })
  return () => {
    if (own === undefined) Reflect.deleteProperty(res, 'setHeader')
    else Object.defineProperty(res, 'setHeader', own)
  }
}

/** Headers that some caches believe before Cache-Control: RFC 9213, its forerunner, Akamai's and nginx's. */
const TARGETED = /^(?:.*-)?cdn-cache-control$|^surrogate-control$|^edge-control$|^x-accel-expires$/

function forbidCaching(res: ServerResponse): void {
  res.setHeader('Cache-Control', 'no-store')
  for (const name of res.getHeaderNames()) if (TARGETED.test(name)) res.removeHeader(name)
}
