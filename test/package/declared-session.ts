// The types of an application that has declared its sessions; compiled, not run, against the packed package.
import {
  bindClient,
  type Callback,
  connectRedis,
  type EndedSession,
  type IndexValue,
  loadSession,
  type MergeFunction,
  RedisStore,
  type RedisStoreOptions,
  rotateOnLogin,
  rotateSession,
  type SecureSession,
  type SessionContent,
  secureSession,
  sessionRouter,
} from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'

declare module 'express-session' {
  interface SessionData {
    userId: string
    cart: string[]
    visits: number
    seenAt?: number
    preferences?: { theme: string; sizes?: { font: number }; tags: string[] }
    /** How many of which product. */
    amounts: Record<number, number>
  }
}

/** A content of its own, which has nothing to do with the declaration above. */
interface Admin {
  userId: number
  level: number
  tenants: string[]
}

/** Compiles where both types are the same, `any` included. */
function same<A, B>(_same: Same<A, B>): void {}
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : 'they differ'

const client = connectRedis('redis://localhost:6379')
const sid = 'sid'

// The names of the indexes come from the options, the content from the declaration.
export const store = new RedisStore({
  client,
  indexes: { user: (s) => s.userId, cart: (s) => s.cart },
  limit: { index: 'user', max: 3, onExceed: 'evict' },
  ttl: (s) => (s.userId ? 3600 : 60),
  validate: (s) => s.userId !== 'mallory',
  onEnd: ({ session: left }, reason) => console.log(left.cart?.length, left.visits?.toFixed(), reason),
})
same<typeof store, RedisStore<session.SessionData, 'user' | 'cart'>>(true)

const theme = () => store.getPath(sid, ['preferences', 'theme'])

new RedisStore({ client, merge: true })
const sum: MergeFunction<number> = (base = 0, theirs = 0, mine = 0) => theirs + mine - base
new RedisStore({ client, merge: { visits: sum } })
new RedisStore({ client, merge: ['preferences', 'visits'] })
new RedisStore({
  client,
  merge: { preferences: true, visits: (base = 0, theirs = 0, mine = 0) => theirs + mine - base },
})
// @ts-expect-error no such property
new RedisStore({ client, merge: ['preference'] })
// @ts-expect-error no such property
new RedisStore({ client, merge: { preference: true } })
// @ts-expect-error a number
new RedisStore({ client, merge: { visits: () => 'many' } })
secureSession({ client, secret: 's', user: (s) => s.userId, merge: ['preferences'] })
// @ts-expect-error no such property
secureSession({ client, secret: 's', user: (s) => s.userId, merge: ['preference'] })

export async function declared(): Promise<void> {
  await store.patch(sid, { userId: 'ada', visits: 1, cart: undefined })
  // @ts-expect-error no such property
  await store.patch(sid, { usrId: 5 })
  same<string | undefined, Awaited<ReturnType<typeof theme>>>(true)
  await store.setPath(sid, ['preferences', 'theme'], 'light')
  await store.setPath(sid, ['preferences', 'sizes', 'font'], undefined)
  await store.setPath(sid, ['preferences', 'sizes'], { font: 3 })
  // @ts-expect-error a text
  await store.setPath(sid, ['preferences', 'theme'], 5)
  // @ts-expect-error no such property
  await store.setPath(sid, ['preference', 'theme'], 'light')
  // @ts-expect-error no such key
  await store.setPath(sid, ['preferences', 'them'], 'light')
  // @ts-expect-error no way through a list
  await store.setPath(sid, ['preferences', 'tags', '0'], 'a')
  await store.setPath(sid, ['amounts', '7'], 2)
  // @ts-expect-error a number
  await store.setPath(sid, ['amounts', '7'], 'two')
  // @ts-expect-error no number
  await store.setPath(sid, ['amounts', 'tea'], 2)
  const names: string[] = ['theme']
  await store.setPath(sid, ['preferences', ...names], 'light')
  // @ts-expect-error a path has a name
  await store.getPath(sid, [])
  // @ts-expect-error a text
  await store.patch(sid, { userId: 5 })
  // @ts-expect-error only set() and touch() write the cookie
  await store.patch(sid, { cookie: {} })

  await store.increment(sid, 'visits')
  await store.increment(sid, 'seenAt', 5)
  // @ts-expect-error no number
  await store.increment(sid, 'cart')
  // @ts-expect-error no such property
  await store.increment(sid, 'visit')

  const some = await store.read(sid, ['cart', 'visits'])
  same<typeof some, { cart?: string[]; visits?: number } | null>(true)
  // @ts-expect-error it was not asked for
  some?.userId
  // @ts-expect-error no such property
  await store.read(sid, ['crat'])
  const whole = await store.read(sid)
  same<typeof whole, SessionContent | null>(true)
  const cart: string[] | undefined = whole?.cart
  // @ts-expect-error it may be absent
  const surely: string[] = whole?.cart

  await store.findBy('user', 'ada', { limit: 5 })
  // @ts-expect-error no such index
  await store.findBy('usr', 1)
  // @ts-expect-error no such index
  await store.countBy('usr', 1)
  // @ts-expect-error no such index
  await store.destroyBy('usr', 1)

  for await (const { session: one, info } of store.scan({ fields: ['userId'] })) {
    const user: string | undefined = one.userId
    // @ts-expect-error it was not asked for
    console.log(user, info.handle, one.cart)
  }
  for await (const { session: one } of store.scan()) console.log(one.cart?.length, one.cookie.maxAge)
  // @ts-expect-error no such property
  store.scan({ fields: ['crat'] })
  for (const listed of await store.all()) console.log(listed.id.length, listed.userId?.length)
  await store.set(sid, { userId: 'ada' })
  const found = await store.get(sid)
  if (found !== null) await store.set(sid, found)
  void store.get(sid, (_err, one) => console.log(one?.userId?.length))
  console.log(cart, surely)
}

export function events(): void {
  store.on('destroyed', ({ handle, reason }) => same<[typeof handle, typeof reason], [string, EndReason]>(true))
  store.once('connect', () => {})
  store.off('disconnect', () => {})
  // @ts-expect-error it is called "destroyed"
  store.on('destroy', () => {})
  // @ts-expect-error it is called "destroyed"
  store.once('destroy', () => {})
  // @ts-expect-error it is called "destroyed"
  store.addListener('destroy', () => {})
  // @ts-expect-error the payload has no id
  store.on('destroyed', ({ id }) => id)
}
type EndReason = Parameters<NonNullable<RedisStoreOptions['onEnd']>>[1]

export function options(): unknown[] {
  return [
    // @ts-expect-error no such property
    new RedisStore({ client, indexes: { user: (s) => s.usrId } }),
    // @ts-expect-error no such property
    new RedisStore({ client, ttl: (s) => (s.usrId ? 1 : 2) }),
    // @ts-expect-error no such property
    new RedisStore({ client, validate: (s) => s.usrId !== undefined }),
    // @ts-expect-error no such property
    new RedisStore({ client, onEnd: ({ session: left }) => console.log(left.usrId) }),
    // @ts-expect-error no such index
    new RedisStore({ client, indexes: { user: (s) => s.userId }, limit: { index: 'usr', max: 1, onExceed: 'evict' } }),
    // @ts-expect-error "user" is none of the indexes
    new RedisStore({ client, indexes: { cart: (s) => s.cart }, limit: { index: 'user', max: 1, onExceed: 'evict' } }),
    rotateOnLogin({ principal: (s) => s.userId, keep: ['cart'] }),
    // @ts-expect-error no such property
    rotateOnLogin({ principal: (s) => s.usrId }),
    // @ts-expect-error no such property
    rotateOnLogin({ keep: ['crat'] }),
    // @ts-expect-error no such property
    rotateSession({}, { keep: ['crat'] }),
    bindClient({ secret: 's', onMismatch: ({ session: held }) => (held.userId ? 'destroy' : 'observe') }),
    // @ts-expect-error no such property
    bindClient({ secret: 's', onMismatch: ({ session: held }) => (held.usrId ? 'destroy' : 'observe') }),
  ]
}

// A type of its own needs the names of the indexes too: the compiler infers all type arguments or none.
const admins = new RedisStore<Admin, 'user' | 'tenant'>({
  client,
  prefix: 'admin:',
  indexes: { user: (s) => s.userId, tenant: (s): readonly IndexValue[] | undefined => s.tenants },
  limit: { index: 'tenant', max: 100, onExceed: 'reject' },
  onEnd: ({ session: left }: EndedSession<Admin>) => console.log(left.level),
})
// Names of indexes that are not given are not checked.
const unnamed = new RedisStore<Admin>({ client, indexes: { user: (s) => s.userId } })

export async function given(): Promise<void> {
  await admins.patch(sid, { level: 3 })
  // @ts-expect-error a property of the other content
  await admins.patch(sid, { cart: [] })
  await admins.increment(sid, 'level')
  // @ts-expect-error no number
  await admins.increment(sid, 'tenants')
  const level: number | undefined = (await admins.read(sid, ['level']))?.level
  await admins.destroyBy('tenant', 'acme')
  // @ts-expect-error no such index
  await admins.destroyBy('tenants', 'acme')
  await unnamed.destroyBy('anything', level ?? 0)
  // @ts-expect-error no such property
  await unnamed.patch(sid, { levle: 3 })
  // @ts-expect-error the index "tenant" is missing
  new RedisStore<Admin, 'user' | 'tenant'>({ client, indexes: { user: (s) => s.userId } })
}

/** A subclass for one content. */
class CountingStore extends RedisStore<Admin, 'user'> {
  reads = 0

  // The first signature makes it a store of express-session, whose types know the declared content only.
  override get(id: string): Promise<SessionContent<Admin> | null>
  override get(id: string, callback?: Callback<SessionContent<Admin> | null>): Promise<SessionContent<Admin> | null>
  override get(id: string, callback?: Callback<SessionContent<Admin> | null>): Promise<SessionContent<Admin> | null> {
    this.reads += 1
    return super.get(id, callback)
  }

  override patch(...args: Parameters<RedisStore<Admin, 'user'>['patch']>): Promise<boolean> {
    return super.patch(...args)
  }
}
/** A subclass for any content. */
class PlainStore<Data extends object, Index extends string> extends RedisStore<Data, Index> {
  override async destroy(id: string, callback?: (err: unknown) => void): Promise<void> {
    console.log('destroy')
    await super.destroy(id, callback)
  }
}
const counting = new CountingStore({ client, indexes: { user: (s) => s.userId } })
const plain = new PlainStore({ client, indexes: { user: (s) => s.userId } })

// express-session and this package's functions accept every one of them as a store.
const secret = 'secret'
const app = express()
for (const one of [store, admins, unnamed, counting, plain]) {
  const usual: session.Store = one
  app.use(session({ store: one, secret, resave: false, saveUninitialized: false }))
  app.use(sessionRouter({ store: one }))
  console.log(usual)
}
app.use(session({ store: admins, secret }))
app.use(session({ store: counting, secret }))
app.use(sessionRouter({ store: counting }))
app.use(sessionRouter({ store, user: (req) => req.session.userId }))
const general: RedisStore = store
export const anyStore = general

export const shop = secureSession({
  client,
  secret,
  user: (s) => s.userId,
  indexes: { cart: (s) => s.cart },
  limit: { index: 'user', max: 3, onExceed: 'evict' },
  keep: ['cart'],
  bind: { onMismatch: ({ session: held }) => (held.userId ? 'destroy' : 'observe') },
  onEnd: ({ session: left }) => console.log(left.cart?.length),
})
same<typeof shop, SecureSession<session.SessionData, 'user' | 'cart'>>(true)
app.use(shop)
const office = secureSession({ store: admins, secret, user: (s) => s.userId })
same<typeof office, SecureSession<Admin, 'user' | 'tenant'>>(true)
app.use(office)
const lone = secureSession({ client, secret, user: (s) => s.userId })
same<typeof lone, SecureSession<session.SessionData, 'user'>>(true)
const own = secureSession<Admin, 'tenant'>({
  client,
  secret,
  user: (s) => s.userId,
  indexes: { tenant: (s) => s.tenants },
})
const subclassed = secureSession({ store: counting, secret, user: (s) => s.userId })

export async function secured(req: express.Request): Promise<void> {
  await shop.store.countBy('cart', 'tea')
  await lone.store.destroyBy('user', 'ada', { except: req.sessionID })
  // @ts-expect-error no such index
  await lone.store.destroyBy('usr', 'ada')
  await own.store.destroyBy('tenant', 'acme')
  await own.store.destroyBy('user', 1)
  // @ts-expect-error no such property
  secureSession({ client, secret, user: (s) => s.usrId })
  // @ts-expect-error no such property
  secureSession({ client, secret, user: (s) => s.userId, keep: ['crat'] })
  // @ts-expect-error no such index
  secureSession({ client, secret, user: (s) => s.userId, limit: { index: 'usr', max: 1, onExceed: 'evict' } })
  const socket = await shop.load(req)
  const user: string | undefined = socket?.userId
  const admin = await loadSession(req, { store: admins, secret })
  const level: number | undefined = admin?.level
  const again: number | undefined = (await loadSession(req, { store: counting, secret }))?.level
  const once: number | undefined = (await subclassed.load(req))?.level
  // @ts-expect-error no such property
  console.log(user, level, again, once, admin?.cart, admin?.handle)
}
