import { RedisStore, type StoreHealth } from 'connect-redis-hash'
import { instrumentSessions } from 'connect-redis-hash/opentelemetry'
import { type SessionMetricsOptions, sessionMetrics } from 'connect-redis-hash/prometheus'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'

const store = new RedisStore({ client: new Redis(), indexes: { user: (session) => session.cookie.path } })
const options: SessionMetricsOptions = { register: new Registry() }
const stop: () => void = sessionMetrics(store, options)
sessionMetrics(store)
instrumentSessions(store)()
stop()
const health: StoreHealth = store.health
const isUp: boolean | undefined = health.sideConnections.cache

export { isUp }

// @ts-expect-error: an option that does not exist
sessionMetrics(store, { registry: new Registry() })
// @ts-expect-error: no store
instrumentSessions({})
