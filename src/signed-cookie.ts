import type { IncomingMessage } from 'node:http'
import { unsign } from 'cookie-signature'

/** A request whose cookies may already have been parsed by cookie-parser. It may have lost its Cookie header since. */
interface ParsedRequest extends Pick<IncomingMessage, 'headers'> {
  cookies?: Record<string, unknown>
  signedCookies?: Record<string, unknown>
}

/**
 * Reads the session id of a request from the same places as express-session: the Cookie header, then the results of
 * cookie-parser.
 */
export function sidIn(req: ParsedRequest, name: string, secrets: readonly string[]): string | undefined {
  const { cookies, signedCookies } = req
  return (
    unsigned(signedText(req.headers.cookie, name), secrets) ||
    textIn(signedCookies, name) ||
    unsigned(withoutMark(textIn(cookies, name)), secrets) ||
    undefined
  )
}

/** Reads the signed text from express-session's cookie: `<id>.<signature>`. */
export function signedText(header: string | undefined, name: string): string | undefined {
  return withoutMark(cookieValue(header ?? '', name))
}

/** Verifies a signed text and returns what was signed; undefined if no secret matches. */
export function unsigned(text: string | undefined, secrets: readonly string[]): string | undefined {
  if (text === undefined) return undefined
  for (const secret of secrets) {
    const value = unsign(text, secret)
    if (value !== false) return value
  }
  return undefined
}

/**
 * Reads a cookie like the package cookie does for express-session: the first cookie of that name counts, quotes around
 * the value are removed, and a value that cannot be decoded stays as it is.
 */
export function cookieValue(header: string, name: string): string | undefined {
  const pairs = header.split(';').map((pair) => [pair, pair.indexOf('=')] as const)
  const found = pairs.find(([pair, at]) => at >= 0 && trimmed(pair.slice(0, at)) === name)
  if (found === undefined) return undefined
  const [pair, at] = found
  const value = trimmed(pair.slice(at + 1))
  return decoded(value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value)
}

/**
 * Removes blanks and tabs at both ends (OWS, RFC 9110), and no other white space. A regular expression would take
 * quadratic time for long runs of blanks.
 */
function trimmed(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && isBlank(text[start])) start++
  while (end > start && isBlank(text[end - 1])) end--
  return text.slice(start, end)
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** Removes the `s:` with which express-session marks signed values. */
function withoutMark(value: string | undefined): string | undefined {
  return value?.startsWith('s:') ? value.slice(2) : undefined
}

function textIn(cookies: Record<string, unknown> | undefined, name: string): string | undefined {
  const value = cookies?.[name]
  return typeof value === 'string' ? value : undefined
}
