import type { LoadedSession } from './decode.js'
import { isUsableCookie } from './live-cookie.js'
import type { Serializer } from './serializer.js'
import { dropProto } from './session-data.js'

/**
 * Decodes a string of connect-redis: the whole session, cookie included, as one text. Returns null if the text is not a
 * session.
 */
export async function decodeConnectRedisString(text: string, serializer: Serializer): Promise<LoadedSession | null> {
  let value: unknown
  try {
    value = await serializer.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const session = dropProto(value as LoadedSession)
  const { cookie } = session as { cookie?: unknown }
  if (cookie === undefined) return session
  if (typeof cookie !== 'object' || cookie === null || !isUsableCookie(cookie)) return null
  dropProto(cookie)
  return session
}
