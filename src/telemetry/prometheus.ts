import { Counter, Gauge, register as globalRegister, Histogram, type Registry } from 'prom-client'
import { EVENT_NAMES } from '../events.js'
import { checkNames } from '../known-options.js'
import { OPERATIONS, type Operation, OUTCOMES } from '../operations.js'
import type { AnyRedisStore } from '../store.js'
import { countsActive, DURATION_BUCKETS, HELP, METRIC_CODES, metricCode, readActive } from './metrics.js'
import { tellOperations } from './told-operations.js'

export interface SessionMetricsOptions {
  /** The registry that gets the metrics. Default: the global one of prom-client. */
  register?: Registry
}

/**
 * Gives a registry of prom-client 15 the metrics of a store. All values of labels come from fixed lists; there is no
 * label for a user, a session or a key. With several stores in one process, give each a `Registry` of its own with
 * `setDefaultLabels`, and merge them.
 *
 * @returns a function that removes the metrics
 * @throws TypeError for a wrong option, or if the registry has the metrics of another store
 */
export function sessionMetrics(store: AnyRedisStore, options: SessionMetricsOptions = {}): () => void {
  checkNames('sessionMetrics', options, { register: 0 }, 'sessionMetrics(store, { register })')
  const { register = globalRegister } = options
  const names = Object.keys(HELP) as (keyof typeof HELP)[]
  if (names.some((name) => register.getSingleMetric(name) !== undefined)) {
    const how = 'give each store a Registry with setDefaultLabels({ store: … }), and answer Registry.merge([…])'
    throw new TypeError(`"register" option has the metrics of a store already: ${how}`)
  }
  const stop = tellOperations('sessionMetrics', store, { over: operationMetrics(register) })
  collectedMetrics(store, register)
  return () => {
    stop()
    for (const name of names) register.removeSingleMetric(name)
  }
}

/** @returns a function that counts an operation */
function operationMetrics(register: Registry): (operation: Operation) => void {
  const total = new Counter({
    ...described('session_store_operations_total', register),
    labelNames: ['operation', 'outcome'] as const,
  })
  const errors = new Counter({ ...described('session_store_errors_total', register), labelNames: ['code'] as const })
  const duration = new Histogram({
    ...described('session_store_operation_duration_seconds', register),
    labelNames: ['operation'] as const,
    buckets: DURATION_BUCKETS,
  })
  // A series that begins with its first error shows no increase there, and no alert.
  for (const operation of OPERATIONS) for (const outcome of OUTCOMES) total.inc({ operation, outcome }, 0)
  for (const code of METRIC_CODES) errors.inc({ code }, 0)
  return ({ name, outcome = 'ok', code, duration: ms = 0 }) => {
    total.inc({ operation: name, outcome })
    duration.observe({ operation: name }, ms / 1000)
    if (code !== undefined) errors.inc({ code: metricCode(code) })
  }
}

/** Adds what is read from the store when somebody asks for the metrics. */
function collectedMetrics(store: AnyRedisStore, register: Registry): void {
  new Counter({
    ...described('session_store_events_total', register),
    labelNames: ['event'] as const,
    collect() {
      this.reset()
      for (const event of EVENT_NAMES) this.inc({ event }, store.counters[event])
    },
  })
  new Gauge({
    ...described('session_store_available', register),
    aggregator: 'min',
    collect() {
      this.set(Number(store.health.available))
    },
  })
  new Gauge({
    ...described('session_store_side_connections_up', register),
    labelNames: ['kind'] as const,
    aggregator: 'min',
    collect() {
      for (const [kind, isUp] of Object.entries(store.health.sideConnections)) this.set({ kind }, Number(isUp))
    },
  })
  if (store.cacheStats !== undefined) {
    new Counter({
      ...described('session_store_cache_requests_total', register),
      labelNames: ['result'] as const,
      collect() {
        this.reset()
        this.inc({ result: 'hit' }, store.cacheStats?.hits ?? 0)
        this.inc({ result: 'miss' }, store.cacheStats?.misses ?? 0)
      },
    })
  }
  if (countsActive(store)) {
    new Gauge({
      ...described('session_store_active', register),
      labelNames: ['kind', 'step'] as const,
      // Every process reads the numbers of all.
      aggregator: 'max',
      async collect() {
        const counts = await readActive(store)
        this.reset()
        for (const { kind, step, count } of counts) this.set({ kind, step }, count)
      },
    })
  }
}

function described(name: keyof typeof HELP, register: Registry) {
  return { name, help: HELP[name], registers: [register] }
}
