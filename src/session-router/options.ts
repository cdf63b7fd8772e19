import { type IncomingMessage, type ServerResponse, validateHeaderValue } from 'node:http'
import type { AnyContent } from '../hash/session-content.js'
import { checkNames } from '../known-options.js'
import { type RequireFreshLoginOptions, requireFreshLogin } from '../middleware/require-fresh-login.js'
import type { Middleware } from '../middleware/session-request.js'
import { PAGE_POLICY } from '../pages/responses.js'
import { STORE_ACCESS, type StoreAccess } from '../requests/store-access.js'
import type { AnyRedisStore } from '../store.js'
import type { DevicePage } from './device-page.js'
import { DEFAULT_LANGUAGE, languageTag } from './language.js'
import { pageOf } from './page.js'
import { completeTexts, type SessionRouterTexts, type SomeTexts } from './texts.js'

/**
 * A request with a session. The type is loose, so that a function of Express's `Request` fits as well, for example one
 * that reads Passport's `req.user`.
 */
export interface RequestOfUser extends IncomingMessage {
  // biome-ignore lint/suspicious/noExplicitAny: what the application keeps in its sessions
  session: any
}

export interface SessionRouterOptions {
  /**
   * The store of the `session()` that runs before the router; with secureSession: `sessions.store`. It needs an index
   * `user`.
   */
  store: AnyRedisStore
  /**
   * Returns the id of the logged-in user, as the index `user` stores it, or null or undefined if nobody is logged in.
   * The router calls it only for requests with a session. Default: applies the index `user` to the session.
   */
  user?(req: RequestOfUser): string | number | null | undefined
  /** Maximum age of the login when a user ends sessions, in seconds. Default 300. */
  within?: number
  /**
   * A function `(req, res, next)` that handles a request whose login is older than `within`. Default: an error with
   * status 401.
   */
  onStale?: RequireFreshLoginOptions['onStale']
  /** Path of a page of your site to which the list links back, e.g. `/account`. Default: no link. */
  back?: string
  /**
   * Texts of the page that replace the English ones: some or all of them. For pages in several languages, a function
   * that returns the texts of a language, or a promise of them.
   */
  texts?: SomeTexts | ((lang: string) => SomeTexts | undefined | Promise<SomeTexts | undefined>)
  /**
   * Language of the page, as a tag of BCP 47 such as `pt-BR`, or a function that returns the language of a request. It
   * decides the attributes `lang` and `dir`, and the format of dates and times; `texts` translates. If the function
   * returns no valid tag, the default holds. Default `en`.
   */
  lang?: string | LanguageOfRequest
  /**
   * Makes the page in the application's own design: `(page, req, res) =>` HTML or a promise of it. Or it answers with
   * `res` itself and returns nothing. Your template has to escape every value. Default: the built-in page, without
   * scripts.
   */
  render?: RenderDevicePage
  /**
   * Content security policy of the page, in addition to the application's own; false for none. It should have
   * `frame-ancestors 'none'`, so that no other site can put the page under a visitor's mouse. Default
   * `default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'`.
   */
  contentSecurityPolicy?: string | false
}

/** The parameters of methods are compared loosely, so that functions of Express's `Request` and `Response` fit. */
interface Functions {
  lang(req: RequestOfUser): string | null | undefined | false
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that has answered returns nothing
  render(page: DevicePage, req: RequestOfUser, res: ServerResponse): string | void | Promise<string | void>
}

/** @returns a tag of BCP 47; anything else that is false or malformed stands for the default */
export type LanguageOfRequest = Functions['lang']

/** @returns HTML; nothing if the function has answered with `res`, or is about to */
export type RenderDevicePage = Functions['render']

/** The options of `sessionRouter`, checked and with defaults. */
export interface ResolvedSessionRouter {
  store: AnyRedisStore
  user: (req: RequestOfUser) => unknown
  freshLogin: Middleware
  back: string | undefined
  lang: (req: RequestOfUser) => string
  texts: (lang: string) => SessionRouterTexts | Promise<SessionRouterTexts>
  render: RenderDevicePage
  /** Content security policy; undefined for none. */
  policy: string | undefined
}

/** The compiler keeps this map complete. Any other name is a typing mistake of the caller. */
const NAMES: Record<keyof SessionRouterOptions, 0> = {
  store: 0,
  user: 0,
  within: 0,
  onStale: 0,
  back: 0,
  texts: 0,
  lang: 0,
  render: 0,
  contentSecurityPolicy: 0,
}
const WITHIN_SECONDS = 300

/** @throws TypeError that names the option */
export function checkedSessionRouter(options: SessionRouterOptions): ResolvedSessionRouter {
  checkNames('sessionRouter', options, NAMES, 'sessionRouter({ store })')
  const { store, within = WITHIN_SECONDS, onStale, back, render = pageOf } = options
  const userOf = userOfStore(store)
  const { user = (req) => userOf(req.session as AnyContent) as string } = options
  if (typeof user !== 'function') throw new TypeError('"user" option must be a function of the request')
  // A second slash, or a backslash, would make it the address of another site.
  if (back !== undefined && (typeof back !== 'string' || !/^\/(?![/\\])/.test(back))) {
    throw new TypeError('"back" option must be a path of this site, e.g. "/account"')
  }
  if (typeof render !== 'function') throw new TypeError('"render" option must be a function that returns HTML')
  const freshLogin = requireFreshLogin({ within, ...(onStale !== undefined && { onStale }) })
  const [lang, texts, policy] = [checkedLang(options), checkedTexts(options), checkedPolicy(options)]
  return { store, user: (req) => user(req), freshLogin, back, lang, texts, render, policy }
}

/** The function of the index `user`. It is needed even with a `user` option: the index finds the sessions of a user. */
function userOfStore(store: unknown): NonNullable<StoreAccess['userOf']> {
  const access = (store as { [STORE_ACCESS]?: StoreAccess } | null | undefined)?.[STORE_ACCESS]
  if (access === undefined) throw new TypeError('"store" option must be a RedisStore of connect-redis-hash')
  if (access.userOf === undefined) {
    throw new TypeError('"store" option must have the index of users: new RedisStore({ indexes: { user: ... } })')
  }
  return access.userOf
}

function checkedLang({ lang = DEFAULT_LANGUAGE }: SessionRouterOptions): ResolvedSessionRouter['lang'] {
  if (typeof lang === 'function') return (req) => languageOf(lang(req))
  const tag = typeof lang === 'string' ? languageTag(lang) : undefined
  if (tag === undefined)
    throw new TypeError('"lang" option must be a language tag such as "en" or "pt-BR", or a function')
  return () => tag
}

/** What the function returns may come from the visitor, so that a malformed tag is no error. */
function languageOf(returned: unknown): string {
  if (typeof returned === 'string') return languageTag(returned) ?? DEFAULT_LANGUAGE
  if (returned === undefined || returned === null || returned === false) return DEFAULT_LANGUAGE
  throw new TypeError('"lang" option must return a language tag at once, a string')
}

function checkedTexts({ texts }: SessionRouterOptions): ResolvedSessionRouter['texts'] {
  if (typeof texts === 'function') return async (lang) => completeTexts(await texts(lang))
  const complete = completeTexts(texts)
  return () => complete
}

function checkedPolicy({ contentSecurityPolicy: policy = PAGE_POLICY }: SessionRouterOptions): string | undefined {
  if (policy === false) return undefined
  if (typeof policy !== 'string' || policy === '') {
    throw new TypeError('"contentSecurityPolicy" option must be a policy as a string, or false')
  }
  try {
    validateHeaderValue('Content-Security-Policy', policy)
  } catch {
    throw new TypeError('"contentSecurityPolicy" option must be one line')
  }
  return policy
}
