// Code that an application in TypeScript writes; compiled, not run, against the packed package.
import {
  backchannelLogout,
  connectRedis,
  endSession,
  type FindByOptions,
  RedisStore,
  type RedisStoreOptions,
  requireFreshLogin,
  rotateSession,
  type SessionInfo,
} from 'connect-redis-hash'
import { loginCookie, type PrivateRedis, passTime, startRedis } from 'connect-redis-hash/testing'
import express from 'express'
import session from 'express-session'
import { Cluster, Redis } from 'ioredis'

declare module 'express-session' {
  interface SessionData {
    userId: string
  }
}

const client = new Redis({ lazyConnect: true })
const options: RedisStoreOptions = { client, prefix: 'sess:', ttl: (data) => (data.userId ? 3600 : 60) }
const store: session.Store = new RedisStore(options)

const app = express()
app.use(session({ store, secret: 'secret', resave: false, saveUninitialized: false }))
app.get('/', (req, res) => {
  res.send(req.session.userId ?? 'nobody')
})

const indexed = new RedisStore({ client, indexes: { oidc: (data) => data.userId } })
app.post(
  '/ended',
  backchannelLogout({ store: indexed, issuer: 'https://id.test', audience: 'shop', verify: () => ({}) }),
)
app.post('/logout', async (req, res) => {
  const isExpired: boolean = await endSession(req, res, { clearSiteData: ['cookies'] })
  res.json(isExpired)
})
app.post('/prove', requireFreshLogin({ level: 1, within: 60 }), async (req, res) => {
  await rotateSession(req, { level: 2, methods: ['webauthn'] })
  const level: number | undefined = req.sessionLevel
  res.json([level, req.sessionMethods])
})

const clustered = new RedisStore({ client: new Cluster([{ host: '127.0.0.1', port: 7000 }]) })

const sentinels = [{ host: 'localhost', port: 26379 }]
const clients: Redis[] = [
  connectRedis('redis://localhost:6379', { commandTimeout: 500 }),
  connectRedis({ host: 'localhost', port: 6379 }),
  connectRedis({ sentinels, name: 'mymaster' }),
]
const cluster: Cluster = connectRedis(['redis://localhost:7000', { host: 'localhost', port: 7001 }], {
  redisOptions: { password: 'secret' },
})
export const stores = [...clients, cluster].map((one) => new RedisStore({ client: one }))

export async function promises(sid: string): Promise<number> {
  const found = await clustered.get(sid)
  const info = await clustered.info(sid)
  await clustered.destroy(sid)
  return (found?.userId ?? '').length + (info?.handle ?? '').length + (await clustered.length())
}

export async function pages(user: string): Promise<number> {
  const options: FindByOptions = { limit: 20 }
  const page: SessionInfo[] = await clustered.findBy('user', user, options)
  const next = await clustered.findBy('user', user, { ...options, after: page.at(-1) })
  const byHandle = await clustered.findBy('user', user, { after: page[0]?.handle })
  return next.length + byHandle.length + (await clustered.countBy('user', user))
}

export function callbacks(sid: string): void {
  store.get(sid, (error: unknown, found) => console.log(error, found?.userId))
}

// @ts-expect-error the name of the option is "client"
new RedisStore({ redis: client })
// @ts-expect-error seconds are a number
new RedisStore({ client, ttl: '60' })
// @ts-expect-error a port alone is no URL
connectRedis(6379)

export async function testTheShop(): Promise<string> {
  const redis: PrivateRedis = await startRedis({ args: ['--maxmemory', '4mb'] })
  const shop = new RedisStore({ client, ttl: 60 })
  const cookie: string = await loginCookie(shop, { userId: 'u-1' }, { secret: ['new', 'old'], name: 'sid' })
  await passTime(shop, 60)
  await redis.stop()
  return cookie
}
