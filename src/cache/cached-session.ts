import type { DecodedHash, LoadedSession } from '../hash/decode.js'
import { propertyOf } from '../hash/field-name.js'
import { isThenable, type Serializer } from '../hash/serializer.js'

/**
 * A session as texts, from which every request gets an object of its own. The texts are those of the serializer, so
 * that with `encryption` each session is decrypted only once.
 */
export interface CachedSession extends Readonly<Omit<DecodedHash, 'session'>> {
  /** The session with all values that requests may share. The others are undefined here: each request parses their texts. */
  readonly template: LoadedSession
  readonly unshared: readonly (readonly [property: string, text: string])[]
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
  const template = { ...session }
  const unshared: [string, string][] = []
  fields.forEach((text, field, value) => {
    const property = propertyOf(field)
    if (property === undefined || value !== undefined) return
    template[property] = undefined
    unshared.push([property, text])
  })
  if (cookie !== undefined) template.cookie = { ...cookie }
  return { ...held, template, unshared }
}

/** Makes a new session object, as `decodeHash` does. A promise if the serializer is asynchronous. */
export function sessionOf(cached: CachedSession, serializer: Serializer): LoadedSession | Promise<LoadedSession> {
  // Faster than one property after the other, and than `{ ...template }`: V8 adds no private field quickly to what that makes.
  const session: LoadedSession = Object.assign({ cookie: undefined }, cached.template)
  if (session.cookie === undefined) delete session.cookie
  else session.cookie = { ...session.cookie }
  let pending: Promise<unknown>[] | undefined
  for (const [property, text] of cached.unshared) {
    const value = serializer.parse(text)
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
  return pending === undefined ? session : Promise.all(pending).then(() => session)
}
