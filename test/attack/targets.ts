import { randomBytes } from 'node:crypto'
import { requireFreshLogin, type SecureSessionOptions, secureSession } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import type { RequestHandler } from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'
import { connectRedis } from '../contract/node-redis.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { ANY_CHANNEL } from '../support/server.js'
import { ABROAD, Browser, type Client, HOME, mustBe, NEIGHBOUR } from './browser.js'
import {
  boundToFirstAddress,
  NaiveHashStore,
  naiveFreshLogin,
  noteLogin,
  PatternStore,
  sessionInCookie,
  unsignedCookies,
} from './naive.js'
import { openSite, type Protection, type Site } from './site.js'

/** Seconds after which a login is stale. */
export const FRESH = 3600
/** Seconds after which `secureSession` renews an id; it then serves the id before for GRACE seconds. */
export const EVERY = 900
export const GRACE = 30

/** A site to attack, and what an attacker may have got hold of. */
export interface Target extends Site {
  name: string
  cookieName: string
  secret: string
  /** Ages the sessions by so many seconds; not while requests are under way. */
  pass(seconds: number): Promise<void>
  /** Access for attackers who can read and write Redis. */
  redis: {
    client: Redis
    /** Keys of sessions. */
    keys(): Promise<string[]>
    /** All keys, those of sessions included. */
    allKeys(): Promise<string[]>
  }
  /** Redis forbids the site to read sessions, until the returned function is called. */
  failReads(): Promise<() => Promise<void>>
  close(): Promise<void>
}

export const victimOf = (target: Target) => new Browser(target, HOME)
export const neighbourOf = (target: Target) => new Browser(target, NEIGHBOUR)
export const strangerOf = (target: Target, client: Client = ABROAD) => new Browser(target, client)

/** A cookie as the site itself would make it, for an attacker who knows its secret. */
export function forged({ cookieName, secret }: Target, id: string): string {
  return `${cookieName}=${encodeURIComponent(`s:${sign(id, secret)}`)}`
}

/** The session id in a browser's cookie, which an attacker with the cookie can read. */
export function idIn(browser: Browser, { cookieName }: Target): string {
  const value = decodeURIComponent(browser.jar.get(cookieName)?.value ?? '')
  mustBe(value !== '', `no cookie called ${cookieName}`)
  return value.slice(2, value.lastIndexOf('.'))
}

/** Expects that users can still log in, see, do and leave: no attack may take that from them for good. */
export async function mustServe(target: Target): Promise<void> {
  const { ada } = target.accounts
  const browser = victimOf(target)
  await browser.logIn(ada)
  mustBe(await browser.transfersFrom(ada, 'baker'), 'nobody can transfer money')
  await browser.logOut()
  mustBe(!(await browser.seesSecretOf(ada)), 'a logout does nothing')
}

/** The place of a target's sessions, as far as time and Redis are concerned. */
interface Backing {
  prefix: string
  pass?(seconds: number): Promise<void>
  close?(): Promise<void>
}

const newSecret = () => randomBytes(32).toString('base64url')

async function open(
  name: string,
  cookieName: string,
  protect: (given: { client: Redis; prefix: string; secret: string }) => Promise<Protection & Partial<Backing>>,
): Promise<Target> {
  const prefix = freshPrefix()
  const secret = newSecret()
  const client = connect()
  const user = prefix.slice(0, -1)
  await client.acl('SETUSER', user, 'on', '>p', '~*', ...ANY_CHANNEL, '+@all')
  const limited = connect({ username: user, password: 'p', maxRetriesPerRequest: 1 })
  const protection = await protect({ client: limited, prefix, secret })
  const site = openSite(protection)
  const keys = () => client.keys(`${prefix}*`)
  const allKeys = () => client.keys(`*${prefix}*`)
  return {
    ...site,
    name,
    cookieName,
    secret,
    redis: { client, keys, allKeys },
    async pass(seconds) {
      await protection.pass?.(seconds)
      for (const key of await keys()) await age(client, key, seconds * 1000)
    },
    async failReads() {
      await client.acl('SETUSER', user, '-hgetall', '-get')
      return async () => void (await client.acl('SETUSER', user, '+hgetall', '+get'))
    },
    async close() {
      site.close()
      await protection.close?.()
      await client.del('none', ...(await allKeys()))
      limited.disconnect()
      await client.acl('DELUSER', user)
      await client.quit()
    },
  }
}

/** Makes the key as it would be after that time, its expiry included. */
async function age(client: Redis, key: string, ms: number): Promise<void> {
  if ((await client.type(key)) === 'hash') {
    if (await client.hexists(key, '@')) await passTime(client, key, ms)
    else await client.hincrby(key, '@login', -ms)
  }
  const left = await client.pttl(key)
  if (left > ms) await client.pexpire(key, left - ms)
  else if (left >= 0) await client.del(key)
}

/** The site under attack. */
export function secureTarget(options: Partial<SecureSessionOptions> = {}): Promise<Target> {
  return open('secureSession', '__Host-sid', async ({ client, prefix, secret }) => ({
    session: secureSession({
      client,
      prefix,
      secret,
      user: (held: { userId?: string }) => held.userId,
      renew: { every: EVERY, grace: GRACE },
      ...options,
    } as SecureSessionOptions) as RequestHandler,
    freshLogin: requireFreshLogin({ within: FRESH }) as RequestHandler,
  }))
}

/** Options of `session()`. */
export type WeakOptions = Pick<session.SessionOptions, 'rolling' | 'cookie'>
const plain = (options: session.SessionOptions) => session({ resave: false, saveUninitialized: false, ...options })

/** Sites on which attacks succeed, each with the weakness that its name tells. */
export const weakTargets = {
  'secureSession without the option device': (_options: WeakOptions = {}) => secureTarget(),

  'plain express-session with MemoryStore': (options: WeakOptions = {}) =>
    open('plain express-session with MemoryStore', 'connect.sid', async ({ secret }) => {
      const store = new session.MemoryStore()
      return { session: plain({ store, secret, ...options }) }
    }),

  'express-session with connect-redis': (options: WeakOptions = {}) =>
    open('express-session with connect-redis', 'connect.sid', async ({ prefix, secret }) => {
      const { store, close } = await connectRedis()
      return {
        session: plain({ store: store({ prefix }), secret, ...options }),
        close: async () => void (await close()),
      }
    }),

  'a naive hash store': () =>
    open('a naive hash store', 'connect.sid', async ({ client, prefix, secret }) => ({
      session: plain({ store: new NaiveHashStore(client, prefix), secret }),
      freshLogin: naiveFreshLogin,
      loggedIn: noteLogin,
    })),

  'a store that looks ids up by pattern': () =>
    open('a store that looks ids up by pattern', 'connect.sid', async ({ client, prefix, secret }) => ({
      session: plain({ store: new PatternStore(client, prefix), secret }),
    })),

  'express-session behind unsigned cookies': () =>
    open('express-session behind unsigned cookies', 'connect.sid', async ({ secret }) => ({
      session: chain(unsignedCookies('connect.sid', secret), plain({ store: new session.MemoryStore(), secret })),
    })),

  'a session that is the cookie itself': () =>
    open('a session that is the cookie itself', 'session', async ({ secret }) => ({
      session: sessionInCookie('session', secret),
    })),

  'sessions bound to the left-most X-Forwarded-For': () =>
    open('sessions bound to the left-most X-Forwarded-For', 'connect.sid', async ({ secret }) => ({
      session: chain(plain({ store: new session.MemoryStore(), secret }), boundToFirstAddress),
    })),
} as const

export type WeakTarget = keyof typeof weakTargets

function chain(first: RequestHandler, second: RequestHandler): RequestHandler {
  return (req, res, next) => first(req, res, (err?: unknown) => (err ? next(err) : second(req, res, next)))
}
