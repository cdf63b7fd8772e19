// The packed package, imported by an application that is an ES module.
import assert from 'node:assert/strict'
import { RedisStore } from 'connect-redis-hash'
import session from 'express-session'
import { Redis } from 'ioredis'

const client = new Redis({ lazyConnect: true })
const store = new RedisStore({ client, ttl: 60 })
assert.ok(store instanceof session.Store)
session({ store, secret: 'secret', resave: false, saveUninitialized: false })

assert.throws(() => new RedisStore({ client, tll: 60 }), { name: 'TypeError', message: /tll/ })
assert.throws(() => new RedisStore({}), { name: 'TypeError', message: /client/ })
await store.close()
client.disconnect()
