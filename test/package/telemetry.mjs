// The packed package in a project with prom-client and @opentelemetry/api.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import * as esm from 'connect-redis-hash'
import * as esmOpentelemetry from 'connect-redis-hash/opentelemetry'
import * as esmPrometheus from 'connect-redis-hash/prometheus'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'

const require = createRequire(import.meta.url)
const cjs = require('connect-redis-hash')
const opentelemetries = [esmOpentelemetry, require('connect-redis-hash/opentelemetry')]
const prometheuses = [esmPrometheus, require('connect-redis-hash/prometheus')]
const total = 'session_store_operations_total{operation="ping",outcome="error"}'

// Both builds understand the stores of both.
for (const { RedisStore } of [esm, cjs]) {
  const client = new Redis({ lazyConnect: true, enableOfflineQueue: false, port: 1, retryStrategy: () => null })
  client.on('error', () => {})
  const store = new RedisStore({ client, timeout: 100 })
  const registers = prometheuses.map(({ sessionMetrics }) => {
    const register = new Registry()
    sessionMetrics(store, { register })
    return register
  })
  const stops = opentelemetries.map(({ instrumentSessions }) => instrumentSessions(store))
  await assert.rejects(store.ping())
  for (const register of registers)
    assert.match(await register.metrics(), new RegExp(`^${total.replace('{', '\\{')} 1$`, 'm'))
  for (const stop of stops) stop()
  await store.close()
  client.disconnect()
}
