import {
  type Attributes,
  type Meter,
  type MeterProvider,
  metrics,
  type Observable,
  type ObservableCallback,
  type Span,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { EVENT_NAMES } from '../events.js'
import { checkNames } from '../known-options.js'
import type { Operation } from '../operations.js'
import type { AnyRedisStore } from '../store.js'
import { countsActive, DURATION_BUCKETS, HELP, metricCode, readActive } from './metrics.js'
import { type OperationListener, tellOperations } from './told-operations.js'

const SCOPE = 'connect-redis-hash'

export interface InstrumentSessionsOptions {
  /** Default: the global one, so start the SDK first. */
  meterProvider?: MeterProvider
  /** Default: the global one. */
  tracerProvider?: TracerProvider
}

/**
 * Reports a store to OpenTelemetry: the metrics of `sessionMetrics`, and a span for each operation, below the span that
 * is active when it is called. Attributes come from fixed lists; none has a session id, a key or a user.
 *
 * @returns a function that stops it
 * @throws TypeError for a wrong option
 */
export function instrumentSessions(store: AnyRedisStore, options: InstrumentSessionsOptions = {}): () => void {
  const known = { meterProvider: 0, tracerProvider: 0 }
  checkNames('instrumentSessions', options, known, 'instrumentSessions(store, { meterProvider, tracerProvider })')
  const { meterProvider = metrics.getMeterProvider(), tracerProvider = trace.getTracerProvider() } = options
  const meter = meterProvider.getMeter(SCOPE)
  const record = operationMetrics(meter)
  const spans = operationSpans(tracerProvider)
  const stop = tellOperations('instrumentSessions', store, {
    begun: spans.begun,
    over: (operation) => {
      record(operation)
      spans.over(operation)
    },
  })
  const stopObserving = observe(store, meter)
  return () => {
    stop()
    stopObserving()
  }
}

function operationMetrics(meter: Meter): (operation: Operation) => void {
  const total = meter.createCounter(...described('session_store_operations_total'))
  const errors = meter.createCounter(...described('session_store_errors_total'))
  const [name, options] = described('session_store_operation_duration_seconds')
  const advice = { explicitBucketBoundaries: DURATION_BUCKETS }
  const duration = meter.createHistogram(name, { ...options, unit: 's', advice })
  return ({ name: operation, outcome = 'ok', code, duration: ms = 0 }) => {
    total.add(1, { operation, outcome })
    duration.record(ms / 1000, { operation })
    if (code !== undefined) errors.add(1, { code: metricCode(code) })
  }
}

function operationSpans(provider: TracerProvider): Required<OperationListener> {
  const tracer = provider.getTracer(SCOPE)
  const spans = new WeakMap<Operation, Span>()
  return {
    begun: (operation) => {
      spans.set(operation, tracer.startSpan(`session_store.${operation.name}`))
    },
    over: (operation) => {
      const span = spans.get(operation)
      span?.setAttributes(attributesOf(operation))
      if (operation.outcome === 'error') span?.setStatus({ code: SpanStatusCode.ERROR, message: operation.code ?? '' })
      span?.end()
    },
  }
}

function attributesOf({ name, outcome, code, cacheHit }: Operation): Attributes {
  return {
    'session_store.operation': name,
    ...(outcome !== undefined && { 'session_store.outcome': outcome }),
    ...(cacheHit !== undefined && { 'session_store.cache_hit': cacheHit }),
    ...(code !== undefined && { 'error.type': code }),
  }
}

/** Adds what is read from the store when metrics are collected. */
function observe(store: AnyRedisStore, meter: Meter): () => void {
  const stops: (() => void)[] = []
  const add = (instrument: Observable, callback: ObservableCallback) => {
    instrument.addCallback(callback)
    stops.push(() => instrument.removeCallback(callback))
  }
  add(meter.createObservableCounter(...described('session_store_events_total')), (result) => {
    for (const event of EVENT_NAMES) result.observe(store.counters[event], { event })
  })
  add(meter.createObservableGauge(...described('session_store_available')), (result) => {
    result.observe(Number(store.health.available))
  })
  add(meter.createObservableGauge(...described('session_store_side_connections_up')), (result) => {
    for (const [kind, isUp] of Object.entries(store.health.sideConnections)) result.observe(Number(isUp), { kind })
  })
  if (store.cacheStats !== undefined) {
    add(meter.createObservableCounter(...described('session_store_cache_requests_total')), (result) => {
      result.observe(store.cacheStats?.hits ?? 0, { result: 'hit' })
      result.observe(store.cacheStats?.misses ?? 0, { result: 'miss' })
    })
  }
  if (countsActive(store)) {
    add(meter.createObservableGauge(...described('session_store_active')), async (result) => {
      for (const { kind, step, count } of await readActive(store)) result.observe(count, { kind, step })
    })
  }
  return () => {
    for (const stop of stops) stop()
  }
}

/** An instrument has the name of the metric in Prometheus, so that dashboard and alerts serve both. */
function described<Name extends keyof typeof HELP>(name: Name): [name: Name, options: { description: string }] {
  return [name, { description: HELP[name] }]
}
