import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { RedisStore, renewSession, rotateOnLogin, saveBeforeResponse } from 'connect-redis-hash'
import { instrumentSessions } from 'connect-redis-hash/opentelemetry'
import { sessionMetrics } from 'connect-redis-hash/prometheus'
import express from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { register } from 'prom-client'
import request from 'supertest'
import { EVENT_NAMES } from '../../src/events.js'
import { HELP } from '../../src/telemetry/metrics.js'
import { example } from '../support/markdown.js'
import { privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

const PAGE = join('docs', 'observability.md')
const page = readFileSync(PAGE, 'utf8')
const client = connect()
const store = new RedisStore({ client, prefix: freshPrefix() })
const pino = createRequire(__filename)('pino')

afterAll(async () => {
  await store.clear()
  await store.close()
  await client.quit()
})

/** Runs an example with these names in reach instead of its imports. */
function run(name: string, scope: Record<string, unknown>): void {
  const body = example(PAGE, 'run', name).replace(/^import .*$/gm, '')
  new Function(...Object.keys(scope), body)(...Object.values(scope))
}

/** The first cells of the table that has this heading. */
function firstCells(heading: string): string[] {
  const [table = ''] = page.slice(page.indexOf(`| ${heading} |`)).split('\n\n')
  return table
    .split('\n')
    .slice(2)
    .map((line) => line.split('|')[1]?.trim().replaceAll('`', '') ?? '')
}

test('the page has every metric, and every alert of the rules', () => {
  expect(firstCells('metric').sort()).toEqual(Object.keys(HELP).sort())
  const rules = readFileSync(join('docs', 'observability', 'rules.yml'), 'utf8')
  expect(firstCells('alert')).toEqual([...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name))
})

test('an application with the example for Prometheus answers its metrics', async () => {
  const app = express()
  run('prometheus', { app, store, register, sessionMetrics })
  await store.ping()
  const { text } = await request(app)
    .get('/metrics')
    .expect(200)
    .expect('Content-Type', /^text\/plain/)
  expect(text).toContain('session_store_operations_total{operation="ping",outcome="ok"} 1')
  register.clear()
})

test('with the example for OpenTelemetry, the span of a request has the handle, and the operations are below it', async () => {
  const spans = new InMemorySpanExporter()
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const contexts = new AsyncLocalStorageContextManager().enable()
  context.setGlobalContextManager(contexts)
  trace.setGlobalTracerProvider(provider)
  const app = express()
  // What the instrumentation of http does.
  app.use((req, res, next) => {
    const span = trace.getTracer('http').startSpan(req.url)
    res.once('finish', () => span.end())
    context.with(trace.setSpan(context.active(), span), next)
  })
  run('opentelemetry', { app, store, session, secret: 's', trace, instrumentSessions })
  app.use(rotateOnLogin({ principal: (held) => held.userId }), renewSession(), saveBeforeResponse())
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.get('/', (_req, res) => res.end())
  const ada = new Visitor(app)
  await ada.get('/login')
  spans.reset()
  await ada.get('/')
  const [visit] = spans.getFinishedSpans().filter(({ name }) => name === '/')
  expect(visit?.attributes).toEqual({ 'session.id': (await store.info(ada.sid))?.handle })
  const [read] = spans.getFinishedSpans().filter(({ name }) => name === 'session_store.get')
  expect(read?.parentSpanContext?.spanId).toBe(visit?.spanContext().spanId)
  trace.disable()
  context.disable()
  contexts.disable()
})

test('pino logs what goes wrong, once and without an id', async () => {
  const lines: Record<string, unknown>[] = []
  const diagnostics = await import('node:diagnostics_channel')
  run('pino', {
    channel: diagnostics.channel,
    tracingChannel: diagnostics.tracingChannel,
    pino: () => pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) }),
  })
  const redis = await privateRedis()
  const failing = new RedisStore({ client: redis.connect() })
  await failing.set('known-to-a-visitor', { cookie: {}, text: 'x' } as never)
  await redis.admin.hset('sess:known-to-a-visitor', 'text', '{"half')
  await failing.get('known-to-a-visitor')
  await redis.admin.config('SET', 'maxmemory', '1')
  await failing.set('another', { cookie: {} } as never).catch(() => undefined)
  // The example also logs what is slow, as anything may be on a busy machine.
  expect(lines.filter(({ outcome }) => outcome !== 'ok')).toMatchObject([
    { event: 'corrupt', reason: 'field', property: 'text', handle: expect.any(String), msg: 'sessions' },
    { operation: 'set', outcome: 'error', code: 'ERR_SESSION_OUT_OF_MEMORY', duration: expect.any(Number) },
  ])
  expect(JSON.stringify(lines)).not.toContain('known-to-a-visitor')
  await failing.close()
  await redis.stop()
})

test('the events that pino is given exist', () => {
  const [, list = ''] = /of \[(.+?)\]/.exec(example(PAGE, 'run', 'pino')) ?? []
  const names = [...list.matchAll(/'(.+?)'/g)].map(([, name]) => name)
  expect(names.length).toBeGreaterThan(3)
  expect(EVENT_NAMES).toEqual(expect.arrayContaining(names))
})

test('a process is alive whether Redis answers or not, and ready only if it does', async () => {
  const redis = await privateRedis()
  const own = new RedisStore({ client: redis.connect(), timeout: 1000 })
  const app = express()
  run('probes', { app, store: own })
  const ready = await request(app).get('/readyz').expect(200)
  expect(ready.body).toEqual({ redisMs: expect.any(Number) })
  process.kill(redis.pid, 'SIGSTOP')
  await request(app).get('/readyz').expect(503, { code: 'ERR_SESSION_TIMEOUT' })
  await request(app).get('/livez').expect(200)
  process.kill(redis.pid, 'SIGCONT')
  await own.close()
  await redis.stop()
})

test('the probes of Kubernetes ask what the application serves, and wait longer than the store does', () => {
  const yaml = example(PAGE, 'yaml', 'kubernetes')
  const paths = [...yaml.matchAll(/path: (\/\w+)/g)].map(([, path]) => path)
  const served = [...example(PAGE, 'run', 'probes').matchAll(/app\.get\('(.+?)'/g)].map(([, path]) => path)
  expect(paths).toEqual(served)
  const [, seconds] = /timeoutSeconds: (\d+)/.exec(yaml) ?? []
  // On a Redis that is not that of the tests, whose stores wait longer (test/support/patient.ts).
  const own = new RedisStore({ client: new Redis({ lazyConnect: true }) })
  const { timeouts } = (own as never)[Symbol.for('connect-redis-hash.store')] as { timeouts: { timeoutMs: number } }
  expect(Number(seconds) * 1000).toBeGreaterThan(timeouts.timeoutMs)
})
