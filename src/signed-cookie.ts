import type { IncomingMessage } from 'node:http'
import { unsign } from 'cookie-signature'

/** A request behind cookie-parser has read its cookies already, and may have lost their header since. */
interface ParsedRequest extends Pick<IncomingMessage, 'headers'> {
  cookies?: Record<string, unknown>
  signedCookies?: Record<string, unknown>
}

/**
 * The session id that a request brings, wherever express-session looks for it: in the Cookie header, then in what cookie-parser
 * has found.
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

/** The signed text of express-session's cookie, `<id>.<signature>`. */
export function signedText(header: string | undefined, name: string): string | undefined {
  return withoutMark(cookieValue(header ?? '', name))
}

/** What one of the secrets has signed; undefined if none has. */
export function unsigned(text: string | undefined, secrets: readonly string[]): string | undefined {
  if (text === undefined) return undefined
  for (const secret of secrets) {
    const value = unsign(text, secret)
    if (value !== false) return value
  }
  return undefined
}

/**
 * As the package cookie reads it for express-session: of several cookies with that name the first counts, quotes around a value
 * are none of it, and what cannot be decoded stays as it is.
 */
function cookieValue(header: string, name: string): string | undefined {
  const pairs = header.split(';').map((pair) => [pair, pair.indexOf('=')] as const)
  const found = pairs.find(([pair, at]) => at >= 0 && trimmed(pair.slice(0, at)) === name)
  if (found === undefined) return undefined
  const [pair, at] = found
  const value = trimmed(pair.slice(at + 1))
  return decoded(value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value)
}

/** Blanks and tabs (OWS, RFC 9110), and no others. Not by an expression, which takes very long for very many of them. */
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

/** express-session marks what it has signed. */
function withoutMark(value: string | undefined): string | undefined {
  return value?.startsWith('s:') ? value.slice(2) : undefined
}

function textIn(cookies: Record<string, unknown> | undefined, name: string): string | undefined {
  const value = cookies?.[name]
  return typeof value === 'string' ? value : undefined
}
