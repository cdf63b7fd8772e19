// The types of an application that has declared nothing: its sessions hold anything. Compiled, not run, against the
// package.
import { connectRedis, loadSession, RedisStore, rotateOnLogin, rotateSession, secureSession } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'

const client = connectRedis('redis://localhost:6379')
const sid = 'sid'
const secret = 'secret'

const store = new RedisStore({
  client,
  indexes: { user: (s) => s.userId, team: (s: { team?: string }) => s.team },
  ttl: (s) => (s.userId ? 3600 : 60),
  validate: (s) => s.userId !== 'mallory',
  onEnd: ({ session: left }) => console.log(left.cart.length),
})
const sessions = secureSession({ client, secret, user: (s) => s.passport?.user, keep: ['cart'] })

export async function anything(req: express.Request): Promise<void> {
  await store.patch(sid, { userId: 'ada', theme: 'dark', draft: undefined })
  await store.increment(sid, 'visits')
  await store.setPath(sid, ['preferences', 'theme'], 'light')
  console.log((await store.getPath(sid, ['preferences', 'theme'])).length, await store.getPath(sid, sid.split('.')))
  const names: string[] = ['userId', 'theme']
  const some = await store.read(sid, names)
  console.log((await store.read(sid, ['cart']))?.cart.length, some?.theme, (await store.read(sid))?.cart.length)
  for await (const { session: one } of store.scan({ fields: names })) console.log(one.userId)
  await store.set(sid, { cart: [] })
  console.log((await store.get(sid))?.cart, (await store.all())[0]?.cart)
  void store.get(sid, (_err, one) => console.log(one?.userId))
  console.log((await loadSession(req, { store, secret }))?.userId, (await sessions.load(req))?.userId)
  await rotateSession(req, { keep: ['cart'] })
  await store.findBy('user', 'ada')
  // @ts-expect-error the names of the indexes are known all the same
  await store.findBy('usr', 'ada')
  // @ts-expect-error so are events
  store.on('destroy', () => {})
}

const app = express()
app.use(session({ store, secret }))
app.use(rotateOnLogin({ principal: (s) => s.userId, keep: ['cart'] }))
app.use(sessions)
