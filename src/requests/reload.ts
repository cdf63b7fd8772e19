import type { Session } from 'express-session'
import type { Callback } from '../callback.js'
import type { LoadedSession } from '../hash/decode.js'

/** Loads the current state of the session that an object represents. */
type Load = (session: Session, callback: Callback<LoadedSession | null>) => Promise<unknown>
/** A session with the request that express-session keeps in it. */
type LiveSession = Session & { req: { sessionStore: { createSession(req: object, session: LoadedSession): unknown } } }

/**
 * Defines `reload` for session objects. express-session's own method finds the session by id only, and a renewal
 * makes that id outdated after a while. Sockets and event streams keep the request, and with it the session, for
 * hours. This method finds the session by its object instead. There is one method per store, and no closure per
 * session.
 */
export function reloadMethod(load: Load): PropertyDescriptor {
  function reload(this: LiveSession, done: (err?: unknown) => void): LiveSession {
    const { req } = this
    void load(this, (err, found) => {
      if (err) return done(err)
      if (!found) return done(new Error('failed to load session'))
      req.sessionStore.createSession(req, found)
      done()
    })
    return this
  }
  return { configurable: true, enumerable: false, writable: true, value: reload }
}
