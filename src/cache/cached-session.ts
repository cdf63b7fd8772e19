import type { DecodedHash, LoadedSession } from '../hash/decode.js'
import { propertyOf } from '../hash/field-name.js'
import { isThenable, type Serializer } from '../hash/serializer.js'

/**
 * A session as texts, from which every request gets an object of its own. The texts are those of the serializer, so
 * that with `encryption` each session is decrypted only once.
 */
export interface CachedSession extends Readonly<Omit<DecodedHash, 'session'>> {
  readonly cookie: LoadedSession['cookie']
  /** Each property with its text and value. undefined: requests must not share the value, so each parses the text. */
  readonly properties: readonly (readonly [property: string, text: string, value: unknown])[]
}

/** Makes a cache entry of a loaded session; null if it must be read from Redis each time. */
export function cachedSession({ session, ...held }: DecodedHash): CachedSession | null {
  const { meta, fields } = held
  // The session has no TTL. The next write repairs it, so it must reach Redis.
  if (meta.unexpiring) return null
  const { cookie } = session
  // A shallow copy of this cookie would share objects between requests.
  if (cookie !== undefined && Object.values(cookie).some((value) => typeof value === 'object' && value !== null))
    return null
  const properties: [string, string, unknown][] = []
  fields.forEach((text, field, value) => {
    const property = propertyOf(field)
    if (property !== undefined) properties.push([property, text, value])
  })
  return { ...held, cookie: cookie && { ...cookie }, properties }
}

/** Makes a new session object, as `decodeHash` does. A promise if the serializer is asynchronous. */
export function sessionOf(cached: CachedSession, serializer: Serializer): LoadedSession | Promise<LoadedSession> {
  const session: LoadedSession = { cookie: undefined }
  let pending: Promise<unknown>[] | undefined
  for (const [property, text, known] of cached.properties) {
    const value = known === undefined ? serializer.parse(text) : known
    session[property] = value
    if (isThenable(value)) {
      pending ??= []
      pending.push(
        Promise.resolve(value).then((parsed) => {
          session[property] = parsed
        }),
      )
    }
  }
  if (cached.cookie === undefined) delete session.cookie
  else session.cookie = { ...cached.cookie }
  return pending === undefined ? session : Promise.all(pending).then(() => session)
}
