import type { DecodedHash, LoadedSession } from '../hash/decode.js'
import { propertyOf } from '../hash/field-name.js'
import { isThenable, type Serializer } from '../hash/serializer.js'

/**
 * A session as texts, of which every request gets an object of its own. Texts are those of the serializer: with
 * `encryption`, what Redis holds is decrypted once.
 */
export interface CachedSession extends Readonly<Omit<DecodedHash, 'session'>> {
  readonly cookie: LoadedSession['cookie']
  /** With what they are, where every request may get the same; undefined: the text has to be read each time. */
  readonly properties: readonly (readonly [property: string, text: string, value: unknown])[]
}

/** null for what has to be read from Redis each time. */
export function cachedSession({ session, ...held }: DecodedHash): CachedSession | null {
  const { meta, fields } = held
  // Neither is as it should be, and the next write makes it so.
  if (meta.unexpiring || meta.isLeaving) return null
  const { cookie } = session
  // One that nobody could copy at a glance.
  if (cookie !== undefined && Object.values(cookie).some((value) => typeof value === 'object' && value !== null))
    return null
  const properties: [string, string, unknown][] = []
  fields.forEach((text, field, value) => {
    const property = propertyOf(field)
    if (property !== undefined) properties.push([property, text, value])
  })
  return { ...held, cookie: cookie && { ...cookie }, properties }
}

/** A new object, as `decodeHash` would have made it; a promise if the serializer takes its time. */
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
