import { connectRedis, loadSession, secureSession } from 'connect-redis-hash'
import { cookies } from 'next/headers'

let sessions

/** Makes the sessions at the first call only: `next build` loads this module, too, and has no Redis. */
function getSessions() {
  const { REDIS_URL, SESSION_SECRET: secret } = process.env
  sessions ??= secureSession({
    client: connectRedis(REDIS_URL).on('error', () => {}),
    prefix: 'next:',
    secret,
    user: (session) => session.userId,
  })
  return sessions
}

/** What the visitor's session holds, for a route handler or a server component; null if there is none. */
export async function currentSession() {
  const req = { headers: { cookie: (await cookies()).toString() } }
  const { SESSION_SECRET: secret, SESSION_COOKIE: name = '__Host-sid' } = process.env
  return loadSession(req, { store: getSessions().store, secret, name })
}
