import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import { noteResponse } from './response-of.js'
import type { SessionRequest } from './session-request.js'
import { isStandIn } from './stand-in.js'

/**
 * Forbids caches to store a response that carries the session cookie, whatever the handler says about caching. A
 * visitor who got such a response from a cache would be logged in as another user (OWASP Session Management Cheat
 * Sheet, "Web Content Caching"). This applies to logins, renewals, first visits, and with `rolling` to every response.
 *
 * express-session adds its cookie inside its `writeHead`, below all wrappers that come later. So `setHeader` is watched
 * while that `writeHead` runs; headers that the handler gave to `writeHead` have become headers of the response by
 * then.
 */
export function forbidCaching(req: SessionRequest, res: ServerResponse): void {
  if (!noteResponse(req, res) || isStandIn(res)) return
  const writeHead = res.writeHead as (...args: unknown[]) => ServerResponse
  const head = (...args: unknown[]) => {
    const { sessionID } = req
    if (logouts.has(res)) {
      setNoStore(res)
      return writeHead.apply(res, args.map(withoutCaching))
    }
    if (sessionID === undefined) return writeHead.apply(res, args)
    const stop = onCookie(res, (value) => handsOut(value, sessionID), setNoStore)
    try {
      return writeHead.apply(res, args)
    } finally {
      stop()
    }
  }
  Object.defineProperty(res, 'writeHead', { configurable: true, enumerable: true, writable: true, value: head })
}

const logouts = new WeakSet<ServerResponse>()

/**
 * Forbids caches to store a response whatever its handler says about caching: it expires a cookie, and would log out
 * everybody who gets it from a cache. `forbidCaching` must have run for the response.
 */
export function forbidCachingOfLogout(res: ServerResponse): void {
  logouts.add(res)
}

/** Removes what an argument of `writeHead` says about caching: an object, a list of pairs, or names and values in turn. */
function withoutCaching(arg: unknown): unknown {
  if (typeof arg !== 'object' || arg === null) return arg
  if (!Array.isArray(arg)) return Object.fromEntries(Object.entries(arg).filter(([name]) => !isOfCaching(name)))
  if (Array.isArray(arg[0])) return arg.filter(([name]: unknown[]) => !isOfCaching(String(name)))
  return arg.filter((_, at) => !isOfCaching(String(arg[at - (at % 2)])))
}

/** Whether a Set-Cookie header carries this session id in the form that express-session gives it. */
export function handsOut(setCookie: unknown, sid: string): boolean {
  return String(setCookie ?? '').includes(encodeURIComponent(`s:${sid}.`))
}

/** @returns a function that ends the watch */
function onCookie(res: ServerResponse, isMeant: (value: unknown) => boolean, work: typeof setNoStore): () => void {
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

/**
 * Headers that some caches obey before Cache-Control: those of RFC 9213, of its predecessor, of Akamai and of nginx.
 */
const TARGETED = /^(?:.*-)?cdn-cache-control$|^surrogate-control$|^edge-control$|^x-accel-expires$/

function isOfCaching(name: string): boolean {
  return name.toLowerCase() === 'cache-control' || TARGETED.test(name.toLowerCase())
}

function setNoStore(res: ServerResponse): void {
  res.setHeader('Cache-Control', 'no-store')
  for (const name of res.getHeaderNames()) if (TARGETED.test(name)) res.removeHeader(name)
}
