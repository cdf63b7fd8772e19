// An application in CommonJS requires the packed package.
const assert = require('node:assert/strict')
const { connectRedis, RedisStore } = require('connect-redis-hash')
const testing = require('connect-redis-hash/testing')
const session = require('express-session')
const { Cluster, Redis } = require('ioredis')

/** Whether the code behind a function has been loaded: an application pays for what it uses. */
const isLoaded = (name) => Object.keys(require.cache).some((path) => path.endsWith(`${name}.js`))

const client = new Redis({ lazyConnect: true })
const store = new RedisStore({ client, ttl: 60 })
assert.ok(store instanceof session.Store)
session({ store, secret: 'secret', resave: false, saveUninitialized: false })

assert.throws(() => new RedisStore({ client, tll: 60 }), { name: 'TypeError', message: /tll/ })
assert.throws(() => new RedisStore({}), { name: 'TypeError', message: /client/ })
client.disconnect()
void store.close()

assert.ok(!isLoaded('connect-redis') && !isLoaded('admin-router') && !isLoaded('secure-session'))
const connected = connectRedis('redis://localhost:6379', { lazyConnect: true })
assert.ok(connected instanceof Redis)
assert.ok(isLoaded('connect-redis'))
const clustered = connectRedis(['redis://localhost:7000'], { lazyConnect: true })
assert.ok(clustered instanceof Cluster)
assert.throws(() => connectRedis(undefined), { name: 'TypeError', message: /URL/ })
for (const one of [connected, clustered]) one.disconnect()

assert.deepEqual(Object.keys(testing).sort(), ['loginCookie', 'passTime', 'startRedis'])
