import type { Session } from 'express-session'
import type { Callback } from '../callback.js'
import type { LoadedSession } from '../hash/decode.js'

/** Loads what a session object stands for, as it is now. */
type Load = (session: Session, callback: Callback<LoadedSession | null>) => Promise<unknown>
/** With the request that express-session keeps in it. */
type LiveSession = Session & { req: { sessionStore: { createSession(req: object, session: LoadedSession): unknown } } }

/**
 * `reload` as sessions get it from us. express-session's own goes by the id alone, which a renewal puts out of date after a while;
 * sockets and event streams keep the request, and with it the session, for hours. Ours goes by the object. One for each store,
 * and no closure for each session.
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
