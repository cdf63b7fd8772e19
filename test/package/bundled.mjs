// An application that is bundled into one file before it is deployed.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connectRedis, secureSession } from 'connect-redis-hash'

// It finds ioredis where the application has been started.
const client = connectRedis('redis://localhost:6379', { lazyConnect: true })
const secret = randomBytes(32).toString('hex')
const sessions = secureSession({ client, secret, user: (session) => session.userId ?? null })
assert.equal(typeof sessions, 'function')
client.disconnect()
void sessions.store.close()
