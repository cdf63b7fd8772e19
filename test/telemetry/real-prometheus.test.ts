import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { RedisStore, renewSession, rotateOnLogin } from 'connect-redis-hash'
import { sessionMetrics } from 'connect-redis-hash/prometheus'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import { Registry } from 'prom-client'
import { freePort } from '../../src/testing/free-port.js'
import { passTime } from '../support/pass-time.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { testSince } from '../support/server.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'
import { findPrometheus } from './prometheus-program.js'

const RULES = join('docs', 'observability', 'rules.yml')
const found = findPrometheus()

interface Panel {
  title: string
  targets: { expr: string }[]
}
const { panels } = JSON.parse(readFileSync(join('docs', 'observability', 'dashboard.json'), 'utf8')) as {
  panels: Panel[]
}

/** What Grafana would send for an expression of the dashboard. */
const expressions = panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => [title, expr.replaceAll('$job', '.*').replaceAll('$__rate_interval', '30s')] as const),
)

if (found === undefined) {
  test.skip('dashboard and alerts in a real Prometheus: skipped, none is installed (node scripts/get-prometheus.mjs gets it, or set PROMETHEUS_BIN)', () => {})
} else {
  describe('dashboard and alerts in a real Prometheus', () => inPrometheus(found))
}

function inPrometheus({ prometheus, promtool }: { prometheus: string; promtool: string }): void {
  const directory = mkdtempSync(join(tmpdir(), 'prometheus-'))
  let redis: PrivateRedis
  let store: RedisStore
  let server: Server
  let child: ChildProcess
  let url: string
  let isBusy = true
  let traffic: Promise<void>

  beforeAll(async () => {
    redis = await privateRedis()
    store = storeWithEverything(redis)
    server = createServer(appOf(store)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const own = await freePort()
    url = `http://127.0.0.1:${own}`
    child = startPrometheus(prometheus, directory, own, port)
    traffic = visit(server, () => isBusy)
    await until('it has scraped', async () => (await ask('up == 1')).length > 0, { timeoutMs: 60_000 })
  })
  afterAll(async () => {
    isBusy = false
    await traffic
    child?.kill('SIGKILL')
    server.closeAllConnections()
    server.close()
    await store.close()
    await redis.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The series that an expression has now. */
  async function ask(query: string): Promise<unknown[]> {
    const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`)
    const { status, error, data } = (await response.json()) as {
      status: string
      error?: string
      data: { result: unknown[] }
    }
    if (status !== 'success') throw new Error(`${query}: ${error}`)
    return data.result
  }

  /** The expressions of the alerts, as Prometheus has read them. */
  async function alerts(): Promise<Map<string, string>> {
    const response = await fetch(`${url}/api/v1/rules`)
    const { data } = (await response.json()) as { data: { groups: { rules: { name: string; query: string }[] }[] } }
    return new Map(data.groups.flatMap(({ rules }) => rules.map(({ name, query }) => [name, query])))
  }

  async function raised(): Promise<string[]> {
    const names: string[] = []
    for (const [name, query] of await alerts()) {
      // Among all reads of five minutes, those of a few slow seconds would be too few.
      const asked = name === 'SessionStoreSlow' ? query.replace('[5m]', '[10s]') : query
      if ((await ask(asked)).length > 0) names.push(name)
    }
    return names.sort()
  }

  /** Waits until all of these are raised. */
  async function raises(...names: string[]): Promise<void> {
    let missing = names
    const look = async () => {
      const now = await raised()
      missing = names.filter((name) => !now.includes(name))
      return missing.length === 0
    }
    await until('raised', look, { timeoutMs: 30_000, everyMs: 300 }).catch(() => undefined)
    expect(missing).toEqual([])
  }

  test('promtool finds nothing wrong with the rules', () => {
    expect(execFileSync(promtool, ['check', 'rules', RULES], { encoding: 'utf8' })).toMatch(/SUCCESS: \d+ rules/)
  })

  test('under traffic, every expression of the dashboard has a value, and no alert is raised', async () => {
    expect(expressions.length).toBeGreaterThan(15)
    for (const [title, query] of expressions) {
      await until(`${title}: ${query}`, async () => (await ask(query)).length > 0, { timeoutMs: 60_000, everyMs: 300 })
    }
    // A busy machine may make it slow, which is no fault of the rule.
    expect((await raised()).filter((name) => name !== 'SessionStoreSlow')).toEqual([])
  })

  test('an old id that comes back, and a key that is no session, raise their alerts', async () => {
    await presentOldId(server, redis)
    await store.set('broken', { cookie: {}, text: 'x' } as never)
    await redis.admin.hset('sess:broken', 'text', '{"half')
    expect(await store.get('broken')).toBeNull()
    await raises('SessionsStolen', 'SessionsCorrupt')
  })

  // Redis before 7.0 does not ask for replicas in scripts.
  testSince(7, 0)('a Redis that is full, and one that misses its replicas, raise their alerts', async () => {
    const write = (sid: string) => store.set(sid, { cookie: {}, text: 'x' } as never).catch(({ code }) => code)
    await redis.admin.config('SET', 'maxmemory', '1')
    expect(await write('full')).toBe('ERR_SESSION_OUT_OF_MEMORY')
    await redis.admin.config('SET', 'maxmemory', '0')
    await redis.admin.config('SET', 'min-replicas-to-write', '1')
    expect(await write('alone')).toBe('ERR_SESSION_NO_REPLICAS')
    await redis.admin.config('SET', 'min-replicas-to-write', '0')
    await raises('SessionStoreOutOfMemory', 'SessionStoreWritesRefused')
  })

  test('a Redis that is slow raises its alert', async () => {
    let isSlow = true
    const slow = (async () => {
      while (isSlow) await redis.admin.client('PAUSE', 350)
    })()
    await raises('SessionStoreSlow')
    isSlow = false
    await slow
  })

  test('a Redis that hangs raises the alerts of an outage, and they are silent once it is back', async () => {
    process.kill(redis.pid, 'SIGSTOP')
    await raises('SessionStoreUnavailable', 'SessionStoreErrors', 'SessionStoreSideConnectionDown')
    process.kill(redis.pid, 'SIGCONT')
    const query = 'session_store_available == 0 or session_store_side_connections_up == 0'
    await until('all is well', async () => (await ask(query)).length === 0, { timeoutMs: 60_000, everyMs: 300 })
  })

  test('each alert names a section of the runbook that exists', async () => {
    const rules = readFileSync(RULES, 'utf8')
    const anchors = [...rules.matchAll(/runbook: (docs\/.+)#(.+)/g)]
    expect(anchors).toHaveLength((await alerts()).size)
    for (const [, page = '', anchor] of anchors) {
      const headings = [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
      )
      expect(headings).toContain(anchor)
    }
  })
}

function storeWithEverything(redis: PrivateRedis): RedisStore {
  const options = { activity: true, broadcast: true, cache: { max: 100, maxAge: 60 }, timeout: 500 }
  const indexes = { user: (held: { userId?: string }) => held.userId }
  return new RedisStore({ client: redis.connect(), indexes, ...options } as never)
}

function appOf(store: RedisStore): express.Express {
  const register = new Registry()
  sessionMetrics(store, { register })
  const app = express()
  app.get('/metrics', async (_req, res) => {
    res.type(register.contentType).send(await register.metrics())
  })
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(rotateOnLogin())
  app.use(renewSession({ every: 900, grace: 30 }))
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.get('/logout', (req, res, next) => req.session.destroy((err) => (err ? next(err) : res.end())))
  app.get('/', (req, res) => res.json(req.session))
  app.use(((err, _req, res, _next) => {
    res.status(err.status ?? 500).end()
  }) as ErrorRequestHandler)
  return app
}

function startPrometheus(program: string, directory: string, port: number, appPort: number): ChildProcess {
  const settings = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [resolve(RULES)],
    scrape_configs: [{ job_name: 'shop', static_configs: [{ targets: [`127.0.0.1:${appPort}`] }] }],
  }
  // YAML is a superset of JSON.
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(settings))
  const args = {
    'config.file': join(directory, 'prometheus.yml'),
    'storage.tsdb.path': join(directory, 'data'),
    'web.listen-address': `127.0.0.1:${port}`,
    'web.console.templates': directory,
    'web.console.libraries': directory,
    'log.level': 'error',
  }
  const list = Object.entries(args).map(([name, value]) => `--${name}=${value}`)
  return spawn(program, list, { stdio: 'ignore' })
}

/** Visitors who log in, look around and log out, one after the other. */
async function visit(server: Server, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const visitor = new Visitor(server)
    for (const path of ['/login', '/', '/', '/', '/logout', '/']) await visitor.get(path).catch(() => undefined)
  }
}

/** A thief comes with an id that has been renewed long ago. */
async function presentOldId(server: Server, redis: PrivateRedis): Promise<void> {
  const visitor = new Visitor(server)
  await visitor.get('/login')
  const thief = new Visitor(server, visitor.cookie)
  const key = `sess:${visitor.sid}`
  await passTime(redis.admin, key, 900_000)
  await visitor.get('/')
  await visitor.get('/')
  await passTime(redis.admin, key, 30_000)
  await thief.get('/')
}
