import { unsign } from 'cookie-signature'

/**
 * The signed text of express-session's cookie, `<id>.<signature>`. Of several cookies with that name, express-session
 * takes the first.
 *
 * @param header the Cookie header
 */
export function signedText(header: string | undefined, name: string): string | undefined {
  const cookie = (header ?? '').split(';').find((pair) => pair.slice(0, Math.max(0, pair.indexOf('='))).trim() === name)
  const raw = cookie?.slice(cookie.indexOf('=') + 1).trim()
  try {
    const value = decodeURIComponent(raw ?? '')
    return value.startsWith('s:') ? value.slice(2) : undefined
  } catch {
    return undefined
  }
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
