export interface SecureCookieOptions {
  /**
   * How long the browser keeps the cookie after each response, in milliseconds. It is also the idle timeout, in place
   * of `ttl`, and must not be longer than `ttl`. Default: none, the browser deletes the cookie when it is closed.
   */
  maxAge?: number
  /**
   * `'lax'` (default), or `'strict'` (or true): browsers then send the cookie with no request that another site causes,
   * not even when a visitor follows a link.
   */
  sameSite?: 'lax' | 'strict' | true
  /**
   * Default true. false is for development without TLS: the cookie is then called `sid`, and anybody on the network can
   * read it (session hijacking). If NODE_ENV is `production`, false is an error.
   */
  secure?: boolean
  /**
   * `'low'`, `'medium'` or `'high'`: a browser that has too many cookies deletes those of low priority first. Default:
   * none.
   */
  priority?: 'low' | 'medium' | 'high'
  /** true: each site that embeds this one gets a separate cookie (CHIPS). Default false. */
  partitioned?: boolean
}

/** The cookie attributes for express-session. All are given, so that none depends on its defaults. */
export interface SessionCookie {
  readonly path: '/'
  readonly httpOnly: true
  readonly secure: boolean
  readonly sameSite: 'lax' | 'strict' | true
  readonly maxAge?: number
  readonly priority?: 'low' | 'medium' | 'high'
  readonly partitioned?: boolean
}

type Check = readonly [ok: (value: unknown) => boolean, be: string]

const boolean: Check[0] = (value) => typeof value === 'boolean'
const oneOf =
  (...values: unknown[]): Check[0] =>
  (value) =>
    values.includes(value)

/** The compiler keeps this map complete. */
const CHECKS: { [Name in keyof Required<SecureCookieOptions>]: Check } = {
  maxAge: [(value) => Number.isFinite(value) && (value as number) > 0, 'milliseconds above 0'],
  sameSite: [oneOf('lax', 'strict', true), "'lax', 'strict' or true: other sites could act as the visitor (CSRF)"],
  secure: [boolean, 'true, or false for development without TLS'],
  priority: [oneOf('low', 'medium', 'high'), "'low', 'medium' or 'high'"],
  partitioned: [boolean, 'true or false'],
}

/** Attributes that cannot be chosen, each with the reason. */
const FIXED: Readonly<Record<string, string>> = {
  domain: 'a domain would send the cookie to every subdomain, and let each of them plant one',
  path: 'it is always "/", as browsers ask of a "__Host-" cookie',
  httpOnly: 'it is always true: no script needs the cookie, but a malicious one would take it',
  expires: 'set "cookie.maxAge" (milliseconds) instead',
}

/**
 * Checks the option `cookie` and fills in its defaults.
 *
 * @throws TypeError that names the attribute
 */
export function checkedCookie(cookie: unknown = {}): SessionCookie {
  if (typeof cookie !== 'object' || cookie === null) {
    throw new TypeError('"cookie" option must be an object, the same for every request')
  }
  for (const [name, value] of Object.entries(cookie)) {
    if (Object.hasOwn(FIXED, name)) throw new TypeError(`"cookie.${name}" option must be left out: ${FIXED[name]}`)
    if (!Object.hasOwn(CHECKS, name)) throw new TypeError(`secureSession has no option "cookie.${name}"`)
    const [ok, be] = CHECKS[name as keyof SecureCookieOptions]
    if (value !== undefined && !ok(value)) throw new TypeError(`"cookie.${name}" option must be ${be}`)
  }
  const { secure = true, sameSite = 'lax', maxAge, priority, partitioned } = cookie as SecureCookieOptions
  if (!secure) checkInsecure(partitioned ?? false)
  return {
    path: '/',
    httpOnly: true,
    secure,
    sameSite,
    ...(maxAge !== undefined && { maxAge }),
    ...(priority !== undefined && { priority }),
    ...(partitioned !== undefined && { partitioned }),
  }
}

function checkInsecure(partitioned: boolean): void {
  if (isProduction()) {
    throw new TypeError(
      '"cookie.secure" option must not be false with NODE_ENV=production: serve the site over TLS and leave it out; ' +
        "behind a TLS proxy, app.set('trust proxy', 1) tells Express so",
    )
  }
  if (partitioned) throw new TypeError('"cookie.partitioned" option needs "cookie.secure": browsers ignore it without')
}

/** Characters that RFC 6265 allows in the name of a cookie. */
const TOKEN = /^[\w!#$%&'*+\-.^`|~]+$/
/** Prefixes that need a Secure cookie. Browsers compare them case-insensitively. */
const NEEDS_SECURE = /^__(host|secure)-/i

/**
 * Checks the option `name`. The default is `__Host-sid`, or `sid` for a cookie without Secure.
 *
 * @throws TypeError that names the option
 */
export function checkedName(name: unknown, isSecure: boolean): string {
  if (name === undefined) return isSecure ? '__Host-sid' : 'sid'
  if (typeof name !== 'string' || !TOKEN.test(name)) {
    throw new TypeError('"name" option must be the name of a cookie: letters, digits, - and _')
  }
  if (!isSecure && NEEDS_SECURE.test(name)) {
    throw new TypeError(`"name" option must not begin with "__Host-" or "__Secure-" where "cookie.secure" is false`)
  }
  if (isProduction() && !name.startsWith('__Host-')) {
    throw new TypeError(
      '"name" option must begin with "__Host-" with NODE_ENV=production, such as the default "__Host-sid": ' +
        'browsers then take the cookie from this host and over TLS only',
    )
  }
  return name
}

export function isProduction(): boolean {
  return process.env.NODE_ENV === 'production'
}
