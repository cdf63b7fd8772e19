import type { IncomingMessage } from 'node:http'
import { unsign } from 'cookie-signature'

/**
 * Whether the session cookie is signed with a secret on its way out: it is then to be sent again, signed with the
 * current one, or its visitor would be logged out when that secret goes.
 *
 * @param secrets current first
 */
export function isOutdatedCookie(req: IncomingMessage, name: string, secrets: readonly string[]): boolean {
  const [current, ...old] = secrets
  if (old.length === 0) return false
  const value = signedValue(req.headers.cookie ?? '', name)
  if (value === undefined || unsign(value, current as string) !== false) return false
  return old.some((secret) => unsign(value, secret) !== false)
}

/** Of several cookies with that name, express-session takes the first. */
function signedValue(header: string, name: string): string | undefined {
  const cookie = header.split(';').find((pair) => pair.slice(0, Math.max(0, pair.indexOf('='))).trim() === name)
  const raw = cookie?.slice(cookie.indexOf('=') + 1).trim()
  try {
    const value = decodeURIComponent(raw ?? '')
    return value.startsWith('s:') ? value.slice(2) : undefined
  } catch {
    return undefined
  }
}
