import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { RedisStore } from 'connect-redis-hash'
import { instrumentSessions } from 'connect-redis-hash/opentelemetry'
import { HELP } from '../../src/telemetry/metrics.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, path: '/' }
const store = new RedisStore({ client, prefix, activity: true, broadcast: true, cache: { max: 10, maxAge: 60 } })
const reader = new PrometheusExporter({ preventServerStart: true })
const meterProvider = new MeterProvider({ readers: [reader] })
const spans = new InMemorySpanExporter()
const tracerProvider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
const contexts = new AsyncLocalStorageContextManager().enable()
context.setGlobalContextManager(contexts)
const stop = instrumentSessions(store, { meterProvider, tracerProvider })

afterAll(async () => {
  await store.clear()
  await store.close()
  await client.quit()
  await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()])
  context.disable()
  contexts.disable()
})

async function exposed(): Promise<string> {
  const { resourceMetrics } = await reader.collect()
  return new PrometheusSerializer('').serialize(resourceMetrics)
}

test('metrics have the names, labels and values that Prometheus gets from prom-client', async () => {
  await store.set('a-session-id', { cookie } as never)
  await until('a hit of the near cache', async () => {
    await store.get('a-session-id')
    return (store.cacheStats?.hits ?? 0) > 0
  })
  await store.set('', {} as never).catch(() => undefined)
  const text = await exposed()
  const own = text.split('\n').filter((line) => line.startsWith('session_store'))
  const names = own.map((line) => line.replace(/(_bucket|_sum|_count)?[{ ].*$/, ''))
  expect([...new Set(names)].sort()).toEqual(Object.keys(HELP).sort())
  expect(text).toMatch(/session_store_operations_total\{operation="set",outcome="ok"[^}]*\} 1/)
  expect(text).toMatch(/session_store_operation_duration_seconds_bucket\{[^}]*operation="set"[^}]*le="0.0005"[^}]*\}/)
  expect(text).toMatch(/session_store_errors_total\{code="ERR_SESSION_INVALID_ID"[^}]*\} 1/)
  expect(text).toMatch(/session_store_events_total\{event="created"[^}]*\} 1/)
  expect(text).toMatch(/session_store_available(\{[^}]*\})? 1/)
  expect(text).toMatch(/session_store_active\{kind="sessions",step="day"[^}]*\} 1/)
  for (const secret of ['a-session-id', prefix]) expect(text).not.toContain(secret)
})

test('an operation is a span below the active one, with its outcome and no id', async () => {
  spans.reset()
  const request = tracerProvider.getTracer('test').startSpan('GET /')
  await context.with(trace.setSpan(context.active(), request), async () => {
    await store.get('a-session-id')
    await store.set('', {} as never).catch(() => undefined)
  })
  await until('both are over', () => spans.getFinishedSpans().length === 2)
  const found = spans.getFinishedSpans().map(({ name, attributes, status, parentSpanContext }) => ({
    name,
    attributes,
    code: status.code,
    isBelow: parentSpanContext?.spanId === request.spanContext().spanId,
  }))
  expect(found).toEqual([
    {
      name: 'session_store.get',
      attributes: {
        'session_store.operation': 'get',
        'session_store.outcome': 'ok',
        'session_store.cache_hit': expect.any(Boolean),
      },
      code: 0,
      isBelow: true,
    },
    {
      name: 'session_store.set',
      attributes: {
        'session_store.operation': 'set',
        'session_store.outcome': 'error',
        'error.type': 'ERR_SESSION_INVALID_ID',
      },
      code: 2,
      isBelow: true,
    },
  ])
})

test('operations of another store are not reported, and none after it was stopped', async () => {
  spans.reset()
  const other = new RedisStore({ client, prefix: freshPrefix() })
  await other.ping()
  stop()
  await store.ping()
  expect(spans.getFinishedSpans()).toEqual([])
  expect(await exposed()).not.toMatch(/operation="ping"/)
  await other.close()
})

test('wrong use is a TypeError that says what to do', () => {
  expect(() => instrumentSessions({} as never)).toThrow('instrumentSessions(store) takes a RedisStore')
  expect(() => instrumentSessions(store, { meter: 1 } as never)).toThrow('no option "meter"')
})
