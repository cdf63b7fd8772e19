import { sign, unsign } from 'cookie-signature'
import type { RequestHandler } from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'

// Middleware and stores as people write them in ten lines, and what is wrong with each.

/** biome-ignore lint/suspicious/noExplicitAny: sessions hold anything */
type Held = any

/**
 * A hash per session. It takes a missing key for an empty session, `__proto__` for a property like any other, and
 * leaves out what it cannot read.
 */
export class NaiveHashStore extends session.Store {
  readonly #client: Redis
  readonly #prefix: string

  constructor(client: Redis, prefix: string) {
    super()
    this.#client = client
    this.#prefix = prefix
  }

  override get(sid: string, callback: (err: unknown, held?: Held) => void): void {
    this.#client.hgetall(this.#prefix + sid).then(
      (fields) => {
        const held: Held = {}
        for (const [name, text] of Object.entries(fields)) {
          try {
            held[name] = JSON.parse(text)
          } catch {}
        }
        held.cookie ??= {}
        callback(null, held)
      },
      (err) => callback(err),
    )
  }

  override set(sid: string, held: Held, callback?: (err?: unknown) => void): void {
    const fields = Object.entries(held).map(([name, value]) => [name, JSON.stringify(value)])
    this.#client.hset(this.#prefix + sid, Object.fromEntries(fields)).then(
      () => callback?.(),
      (err) => callback?.(err),
    )
  }

  override destroy(sid: string, callback?: (err?: unknown) => void): void {
    this.#client.del(this.#prefix + sid).then(
      () => callback?.(),
      (err) => callback?.(err),
    )
  }
}

/** Makes what the visitor sends a part of a key, Redis's glob characters included. */
export class PatternStore extends NaiveHashStore {
  readonly #find: (sid: string) => Promise<string | undefined>

  constructor(client: Redis, prefix: string) {
    super(client, prefix)
    this.#find = async (sid) => (await client.keys(prefix + sid))[0]?.slice(prefix.length)
  }

  override get(sid: string, callback: (err: unknown, held?: Held) => void): void {
    this.#find(sid).then((found) => (found === undefined ? callback(null) : super.get(found, callback)), callback)
  }
}

/** Accepts cookies that were never signed: "they are random enough". */
export function unsignedCookies(name: string, secret: string): RequestHandler {
  return (req, _res, next) => {
    const [, value] = new RegExp(`${name}=([^;]*)`).exec(req.headers.cookie ?? '') ?? []
    const id = decodeURIComponent(value ?? '')
      .replace(/^s:/, '')
      .split('.')[0]
    if (id) req.headers.cookie = `${name}=${encodeURIComponent(`s:${sign(id, secret)}`)}`
    next()
  }
}

/** The session itself is the cookie, signed: nobody can end what a client has kept. */
export function sessionInCookie(name: string, secret: string): RequestHandler {
  return (req, res, next) => {
    const [, sent = ''] = new RegExp(`${name}=([^;]*)`).exec(req.headers.cookie ?? '') ?? []
    const text = unsign(decodeURIComponent(sent), secret)
    const held: Held = text === false ? {} : JSON.parse(Buffer.from(text, 'base64url').toString())
    Object.defineProperty(held, 'destroy', {
      value(callback: (err?: unknown) => void) {
        for (const property of Object.keys(held)) delete held[property]
        callback()
      },
    })
    req.session = held
    const end = res.end
    res.end = ((...args: unknown[]) => {
      const kept = Buffer.from(JSON.stringify(held)).toString('base64url')
      if (!res.headersSent) res.setHeader('Set-Cookie', `${name}=${encodeURIComponent(sign(kept, secret))}; Path=/`)
      return end.apply(res, args as Parameters<typeof end>)
    }) as typeof res.end
    next()
  }
}

/** Binds a session to the left-most address in X-Forwarded-For, which the client writes itself. */
export const boundToFirstAddress: RequestHandler = (req, _res, next) => {
  const held = req.session as Held
  const address = String(req.headers['x-forwarded-for']).split(',')[0]
  if (held.userId && held.address !== address) return void req.session.regenerate(next)
  held.address = address
  next()
}

const HOUR = 3_600_000

/** Keeps its own notes among the properties of the session. */
export const naiveFreshLogin: RequestHandler = (req, res, next) => {
  if (Number((req.session as Held)['@login']) > Date.now() - HOUR) return next()
  res.sendStatus(401)
}

export function noteLogin(req: { session: object }): void {
  ;(req.session as Held)['@login'] = Date.now()
}
