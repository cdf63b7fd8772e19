import type { IncomingMessage } from 'node:http'
import { signedText, unsigned } from '../signed-cookie.js'

/**
 * Whether the session cookie is signed with an older secret. It must then be sent again, signed with the current one:
 * otherwise its visitor is logged out when the older secret is removed.
 *
 * @param secrets current first
 */
export function isOutdatedCookie(req: IncomingMessage, name: string, secrets: readonly string[]): boolean {
  const [current, ...old] = secrets
  if (old.length === 0) return false
  const text = signedText(req.headers.cookie, name)
  return unsigned(text, [current as string]) === undefined && unsigned(text, old) !== undefined
}
