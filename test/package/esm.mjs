// An application in ES modules imports the packed package.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import { loginCookie, passTime, startRedis } from 'connect-redis-hash/testing'
import session from 'express-session'
import { Cluster, Redis } from 'ioredis'

/** Whether the code behind a function has been loaded: an application pays for what it uses. */
const isLoaded = (name) => Object.keys(createRequire(import.meta.url).cache).some((path) => path.endsWith(`${name}.js`))

const client = new Redis({ lazyConnect: true })
const store = new RedisStore({ client, ttl: 60 })
assert.ok(store instanceof session.Store)
session({ store, secret: 'secret', resave: false, saveUninitialized: false })

assert.throws(() => new RedisStore({ client, tll: 60 }), { name: 'TypeError', message: /tll/ })
assert.throws(() => new RedisStore({}), { name: 'TypeError', message: /client/ })
await store.close()
client.disconnect()

assert.ok(!isLoaded('connect-redis') && !isLoaded('admin-router') && !isLoaded('secure-session'))
const connected = connectRedis('redis://localhost:6379', { lazyConnect: true })
assert.ok(connected instanceof Redis)
assert.ok(isLoaded('connect-redis'))
const clustered = connectRedis(['redis://localhost:7000'], { lazyConnect: true })
assert.ok(clustered instanceof Cluster)
assert.throws(() => connectRedis(undefined), { name: 'TypeError', message: /URL/ })
for (const one of [connected, clustered]) one.disconnect()

for (const one of [loginCookie, passTime, startRedis]) assert.equal(typeof one, 'function')
