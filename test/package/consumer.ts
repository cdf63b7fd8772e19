// What an application in TypeScript writes; compiled, not run, against the packed package.
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
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

const clustered = new RedisStore({ client: new Cluster([{ host: '127.0.0.1', port: 7000 }]) })

export async function promises(sid: string): Promise<number> {
  const found = await clustered.get(sid)
  const info = await clustered.info(sid)
  await clustered.destroy(sid)
  return (found?.userId ?? '').length + (info?.handle ?? '').length + (await clustered.length())
}

export function callbacks(sid: string): void {
  store.get(sid, (error: unknown, found) => console.log(error, found?.userId))
}

// @ts-expect-error the name of the option is "client"
new RedisStore({ redis: client })
// @ts-expect-error seconds are a number
new RedisStore({ client, ttl: '60' })
