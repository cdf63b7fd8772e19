import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  bindClient,
  connectRedis,
  RedisStore,
  type RedisStoreOptions,
  renewSession,
  requireFreshLogin,
  rotateOnLogin,
  rotateSession,
  saveBeforeResponse,
  secureSession,
  sessionRouter,
  TIMEOUT_PRESETS,
} from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import request from 'supertest'
import { WebSocket, WebSocketServer } from 'ws'
import { DEFAULTS } from '../../src/options.js'
import { childScript } from '../support/child-script.js'
import { example, examplesOf } from '../support/markdown.js'
import { isCaching } from '../support/near-cache.js'
import { passTime } from '../support/pass-time.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'
import { freePort } from '../support/redis-node.js'
import { commandOf, TOOLS } from '../support/tools.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'
import { Visitor } from '../support/visitor.js'

const README = 'README.md'
const STRICT = {
  strict: true,
  target: 'es2022',
  lib: ['es2024'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  skipLibCheck: false,
}
const client = connect()
afterAll(() => client.quit())

describe('the app of the README, run as printed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'crh-readme-'))
  let redis: PrivateRedis
  let app: ChildProcess
  let port: number

  beforeAll(async () => {
    redis = await privateRedis()
    port = await freePort()
    writeFileSync(join(dir, 'app.mjs'), example(README, 'run', 'app.mjs'))
    installInto(join(dir, 'node_modules'))
    const env = { ...process.env, REDIS_URL: redis.socketPath, PORT: String(port) }
    app = spawn(process.execPath, ['app.mjs'], { cwd: dir, env })
    let log = ''
    app.stderr?.on('data', (chunk) => {
      log += chunk
    })
    await Promise.race([answers(port), once(app, 'exit').then(() => Promise.reject(new Error(log)))])
  })
  afterAll(async () => {
    app.kill('SIGKILL')
    await redis.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test.each(TOOLS)('every line of the transcript comes out as the page shows it, with %s', async (tools) => {
    // The page says port 3000 and the default Redis; this machine has others.
    const prelude = `redis-cli() { ${commandOf('redis-cli', tools)} -s '${redis.socketPath}' "$@"; }`
    const all = steps(example(README, 'transcript', 'app.mjs').replaceAll('localhost:3000', `127.0.0.1:${port}`))
    expect(asTyped(all, await typed(all, dir, prelude, tools))).toEqual(asShown(all))
  })
})

describe('the snippets of the README', () => {
  const prefix = freshPrefix()

  test('every method does what its comment says', async () => {
    const store = new RedisStore({ client, prefix })
    await store.set('the-sid', {
      cookie: { originalMaxAge: null },
      userId: 'ada',
      theme: 'dark',
      draft: 1,
      visits: 2,
    } as never)
    const results: unknown[] = []
    const body = example(README, 'run', 'methods').replace(/^await (.+?\))\s+\/\/.*$/gm, 'results.push(await $1)')
    await asyncFunction('store', 'sid', 'results', 'console', body)(store, 'the-sid', results, { log() {} })
    expect(results).toEqual([
      { userId: 'ada', theme: 'dark' },
      true,
      3,
      true,
      expect.objectContaining({ handle: expect.any(String), createdAt: expect.any(Date), expiresAt: expect.any(Date) }),
      expect.objectContaining({ sessions: 1, bytes: expect.any(Number) }),
      expect.any(Number),
      undefined,
    ])
    expect(await store.read('the-sid')).toMatchObject({ theme: 'dark', visits: 3 })
    await store.clear()
  })

  test('the one line of the example: a login changes the id, over TLS, behind one proxy', async () => {
    const app = express()
    const env = { SESSION_SECRET: randomBytes(32).toString('base64'), NODE_ENV: 'production' }
    const body = `${example(README, 'run', 'secure').replace('client,', 'client, prefix,')}\nreturn sessions.store`
    const scope = { app, client, prefix, secureSession, process: { env } }
    const store = (await asyncFunction(...Object.keys(scope), body)(...Object.values(scope))) as unknown as RedisStore
    app.get('/account', (req, res) => res.json((req.session as unknown as { userId?: string }).userId ?? null))
    const login = await request(app).post('/login/ada').set('X-Forwarded-Proto', 'https').expect(302)
    const [cookie] = login.headers['set-cookie'] as unknown as string[]
    expect(cookie).toMatch(/^__Host-sid=.+; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
    const account = request(app).get('/account').set('X-Forwarded-Proto', 'https')
    await account.set('Cookie', cookie?.split(';')[0] as string).expect(200, '"ada"')
    await request(app).post('/login/ada').expect(500)
    await store.clear()
  })

  test('the presets and defaults of secureSession are listed as they are', () => {
    const readme = readFileSync(README, 'utf8')
    const words = (seconds: number) => {
      const [unit, size] = (
        [
          ['day', 86_400],
          ['hour', 3600],
          ['minute', 60],
        ] as const
      ).find(([name, each]) => seconds % each === 0 && (name !== 'day' || seconds > each)) as [string, number]
      return `${seconds / size} ${unit}${seconds === size ? '' : 's'}`
    }
    for (const family of ['owasp', 'nist']) {
      const presets = Object.entries(TIMEOUT_PRESETS).filter(([name]) => name.startsWith(family))
      const names = presets.map(([name]) => `\`${name}\``).join(' ')
      const [idle, all] = (['idle', 'absolute'] as const).map((key) => presets.map(([, p]) => words(p[key])).join(', '))
      expect(readme).toContain(`| ${names} | ${idle} | ${all} |`)
    }
  })

  test('the user of a session has one name: with two, blocks that are put together would look in the wrong place', () => {
    const readme = readFileSync(README, 'utf8')
    expect(readme).toMatch(/session\.userId/)
    expect(readme).not.toMatch(/session\.user\b/)
  })

  test('the login of the example changes the id, and asks for a fresh one', async () => {
    const store = new RedisStore({ client, prefix })
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    app.post('/cart', (req, res) => {
      Object.assign(req.session, { cart: 'tea' })
      res.end()
    })
    const names = [
      'rotateOnLogin',
      'saveBeforeResponse',
      'rotateSession',
      'requireFreshLogin',
      'passwordIsRight',
      'app',
    ]
    const values = [rotateOnLogin, saveBeforeResponse, rotateSession, requireFreshLogin, async () => true, app]
    await asyncFunction(...names, example(README, 'run', 'login'))(...values)
    const agent = request.agent(app)
    const idOf = async (path: string, status: number) => {
      const response = await agent.post(path).expect(status)
      return String(response.headers['set-cookie']?.[0])
    }
    const ids = [await idOf('/cart', 200), await idOf('/login/ada', 302), await idOf('/reauthenticate', 302)]
    expect(new Set(ids).size).toBe(3)
    await agent.post('/password').expect(200, 'Changed.')
    await request(app).post('/password').expect(401)
    expect(await store.all()).toEqual([expect.objectContaining({ userId: 'ada', cart: 'tea' })])
    await store.clear()
  })

  test('the order of the example works: a login changes the id, is bound and saved', async () => {
    const store = new RedisStore({ client, prefix })
    const app = express()
    const middleware = { session, bindClient, rotateOnLogin, renewSession, saveBeforeResponse }
    const scope = { app, store, secret: 's', process: { env: { BINDING_SECRET: 'b' } }, ...middleware }
    await asyncFunction(...Object.keys(scope), example(README, 'run', 'order'))(...Object.values(scope))
    app.get('/:user', (req, res) => {
      Object.assign(req.session, { userId: req.params.user })
      res.end()
    })
    const visitor = new Visitor(app)
    await visitor.get('/ada')
    const { sid } = visitor
    await visitor.get('/bob')
    expect(visitor.sid).not.toBe(sid)
    expect(await client.hmget(`${prefix}${visitor.sid}`, '@ua', '@login')).not.toContain(null)
    await store.clear()
  })

  test('what the TypeScript of the page declares is known to a strict compiler', () => {
    const dir = mkdtempSync(join(resolve('node_modules'), '.readme-'))
    try {
      writeFileSync(join(dir, 'session.d.ts'), example(README, 'run', 'session.d.ts'))
      const page = `import express from 'express'
        import { secureSession } from 'connect-redis-hash'
        const app = express()
        ${example(README, 'run', 'secure').replace('client,', 'client: null as never,')}
        app.get('/', (req, res) => { const cart: string[] | undefined = req.session.cart; res.json(cart) })`
      writeFileSync(join(dir, 'page.ts'), page)
      writeFileSync(join(dir, 'store.ts'), example('docs/typescript.md', 'run', 'store'))
      const paths = { 'connect-redis-hash': [resolve('src/index.ts')] }
      const compilerOptions = { ...STRICT, paths, types: ['node'], noEmit: true }
      writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
      const { status, stdout } = spawnSync(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', dir])
      expect([String(stdout), status]).toEqual(['', 0])
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  test('the renewal and the binding of the examples do what they say', async () => {
    const store = new RedisStore({ client, prefix })
    const told: unknown[] = []
    const app = express()
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    const env = { env: { BINDING_SECRET: 'b' } }
    const console = { warn: () => told.push('reuse') }
    const scope = { app, store, process: env, bindClient, renewSession, console }
    for (const body of [example(README, 'run', 'binding'), example(README, 'run', 'renewal')]) {
      await asyncFunction(...Object.keys(scope), body)(...Object.values(scope))
    }
    app.get('/', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end()
    })
    const visitor = new Visitor(app)
    await visitor.get('/')
    expect((await visitor.get('/account')).body).toEqual({ verdict: 'match', action: 'none' })
    const [stolen, key] = [new Visitor(app, visitor.cookie), `${prefix}${visitor.sid}`]
    await passTime(client, key, 15 * 60_000)
    await visitor.get('/')
    await visitor.get('/')
    expect(visitor.sid).not.toBe(stolen.sid)
    await passTime(client, key, 30_000)
    await stolen.get('/')
    expect(told).toEqual(['reuse'])
    await store.clear()
  })

  test('the sessions of a user are found and ended as the comments say', async () => {
    const RedisStoreHere = class extends RedisStore {
      constructor(options: RedisStoreOptions) {
        super({ ...options, prefix })
      }
    }
    const made = new RedisStoreHere({ client, indexes: { user: (held) => held.userId } })
    const make = (sid: string) => made.set(sid, { userId: 'u-1', cookie: { originalMaxAge: null } } as never)
    for (const sid of ['a', 'b', 'c']) await make(sid)
    const results: unknown[] = []
    const handle = (await made.info('a'))?.handle
    const body = example(README, 'run', 'indexes').replace(/^await (.+?\))\s+\/\/.*$/gm, 'results.push(await $1)')
    const scope = { RedisStore: RedisStoreHere, client, sid: 'a', handle, results }
    await asyncFunction(...Object.keys(scope), body)(...Object.values(scope))
    const info = { handle: expect.any(String), indexes: { user: ['u-1'] } }
    const whole = expect.objectContaining({ ...info, createdAt: expect.any(Date), seenAt: expect.any(Date) })
    expect(results).toEqual([[whole, whole, whole], 3, 2, 1, 0])
    expect(await made.length()).toBe(0)
  })

  test('the activity of the example is counted', async () => {
    const RedisStoreHere = class extends RedisStore {
      constructor(options: RedisStoreOptions) {
        super({ ...options, prefix })
      }
    }
    const printed: unknown[] = []
    const [create = '', look = ''] = example(README, 'run', 'activity').split('\n\n')
    const scope = { RedisStore: RedisStoreHere, client, console: { log: (what: unknown) => printed.push(what) } }
    // No hour may end between the visits and the question.
    jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 4, 17, 12, 30, 30))
    const body = `${create}\nawait come(store)\n${look}\nawait store.close()`
    const come = async (made: RedisStore) => {
      for (const [sid, userId] of Object.entries({ a: 'ada', b: 'ada', c: 'bob', d: 'eve' })) {
        await made.set(sid, { userId, cookie: { originalMaxAge: null } } as never)
        await made.get(sid)
      }
      await made.clear()
    }
    await asyncFunction(...Object.keys(scope), 'come', body)(...Object.values(scope), come)
    jest.restoreAllMocks()
    expect(printed).toEqual([{ at: expect.any(Date), users: 3, sessions: 4 }, expect.any(Number)])
    const left = await client.keys(`idx:${prefix}*`)
    await client.del(...left)
  })

  test('the devices page of the example lists the own sessions by name, and ends all others', async () => {
    const app = express()
    app.set('trust proxy', 1)
    const env = { SESSION_SECRET: randomBytes(32).toString('base64') }
    const body = `${example(README, 'run', 'devices').replace('client,', 'client, prefix,')}\nreturn sessions.store`
    const scope = { app, client, prefix, secureSession, sessionRouter, process: { env } }
    const made = (await asyncFunction(...Object.keys(scope), body)(...Object.values(scope))) as unknown as RedisStore
    app.post('/login/:user', (req, res) => {
      Object.assign(req.session, { userId: req.params.user })
      res.end()
    })
    const tls = {
      'X-Forwarded-Proto': 'https',
      'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    }
    const logIn = async () => {
      const { headers } = await request(app).post('/login/ada').set(tls).expect(200)
      return { ...tls, Cookie: headers['set-cookie']?.[0]?.split(';')[0] as string }
    }
    const [here, there] = [await logIn(), await logIn()]
    const page = await request(app).get('/account/sessions').set(here).expect(200)
    expect(page.text.match(/<h2>Firefox on Linux/g)).toHaveLength(2)
    expect(page.text).toContain('href="/account"')
    const json = { Accept: 'application/json', Host: 'shop.example' }
    const list = await request(app).get('/account/sessions').set(here).set(json).expect(200)
    const time = expect.any(String)
    const listed = { handle: expect.any(String), createdAt: time, seenAt: time, client: 'Firefox on Linux' }
    expect(list.body.sessions).toEqual([
      { ...listed, current: true },
      { ...listed, current: false },
    ])
    const end = () => request(app).post('/account/sessions/end-others').set(here).set(json)
    await end().expect(403)
    await end().set('Origin', 'https://shop.example').expect(200, { ended: 1 })
    await request(app).get('/account/sessions').set(there).set(json).expect(401)
    await made.clear()
  })

  test('validate of the example ends sessions from before a change of password', async () => {
    const users = { find: async (id: string) => (id === 'ada' ? { passwordVersion: 2 } : undefined) }
    const RedisStoreHere = class extends RedisStore {
      constructor(options: RedisStoreOptions) {
        super({ ...options, prefix })
      }
    }
    const body = `${example(README, 'run', 'validate')}\nreturn store`
    const scope = { RedisStore: RedisStoreHere, client, users }
    const made = (await asyncFunction(...Object.keys(scope), body)(...Object.values(scope))) as unknown as RedisStore
    const make = (sid: string, data: object) => made.set(sid, { cookie: { originalMaxAge: null }, ...data } as never)
    await make('new', { userId: 'ada', passwordVersion: 2 })
    await make('old', { userId: 'ada', passwordVersion: 1 })
    await make('nobody', {})
    await make('deleted', { userId: 'bob', passwordVersion: 1 })
    const alive = await Promise.all(
      ['new', 'old', 'nobody', 'deleted'].map(async (sid) => (await made.get(sid)) !== null),
    )
    expect(alive).toEqual([true, false, true, false])
    await made.clear()
  })

  test('the sockets of the examples greet the user, turn others away, and are closed when the session ends', async () => {
    const strong = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
    const sessions = secureSession({ client, prefix, secret: strong, user: (held) => held.userId as string })
    const { store } = sessions
    const cookie = `__Host-sid=${encodeURIComponent(`s:${sign('sid', strong)}`)}`
    const begin = () => store.set('sid', { userId: 'ada', cookie: { originalMaxAge: null } } as never)
    const server = createHttpServer().listen(0)
    const { port } = server.address() as AddressInfo
    const scope = { server, sessions, WebSocketServer }
    await asyncFunction(...Object.keys(scope), example(README, 'run', 'upgrade'))(...Object.values(scope))
    await begin()
    const socket = new WebSocket(`ws://localhost:${port}`, { headers: { cookie } })
    expect(String((await once(socket, 'message'))[0])).toBe('Hello ada')
    await store.destroy('sid')
    expect((await once(socket, 'close')).map(String)).toEqual(['4001', 'destroyed'])
    const refused = await once(new WebSocket(`ws://localhost:${port}`, { headers: { cookie } }), 'error')
    expect(String(refused[0])).toMatch(/401/)

    // Neither a visitor who hangs up at once, nor one who sends no valid frame, ends the process.
    const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
    const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
    const hangUp = dial(port, 'localhost')
    await once(hangUp, 'connect')
    hangUp.write(`${upgrade}${key}\r\n`, () => hangUp.resetAndDestroy())
    await begin()
    const noise = dial(port, 'localhost')
    noise.write(`${upgrade}${key}Cookie: ${cookie}\r\n\r\n`)
    await once(noise, 'data')
    noise.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
    await once(noise, 'close')
    const after = new WebSocket(`ws://localhost:${port}`, { headers: { cookie } })
    expect(String((await once(after, 'message'))[0])).toBe('Hello ada')
    after.terminate()
    server.closeAllConnections()
    server.close()

    const other = createHttpServer().listen(0)
    const ioServer = new Server(other)
    const names = { io: ioServer, sessions }
    await asyncFunction(...Object.keys(names), example(README, 'run', 'socket.io'))(...Object.values(names))
    await begin()
    const options = { extraHeaders: { cookie }, transports: ['websocket'], reconnection: false }
    const url = `http://localhost:${(other.address() as AddressInfo).port}`
    const known = io(url, options)
    expect(await new Promise((resolve) => known.on('hello', resolve))).toBe('ada')
    await store.destroy('sid')
    expect(await new Promise((resolve) => known.on('disconnect', resolve))).toBe('io server disconnect')
    const nobody = io(url, options)
    expect(await new Promise((resolve) => nobody.on('connect_error', (err) => resolve(err.message)))).toBe(
      'not logged in',
    )
    await ioServer.close()
    await store.close()
  })

  test('the client of the example connects, and serves the store', async () => {
    const lines = example(README, 'run', 'connect').split('\n')
    const ways = lines.filter((line) => line.includes('const client ='))
    expect(ways).toHaveLength(3)
    const env = { REDIS_URL: socketPath() }
    const scope = { connectRedis, RedisStore, process: { env }, console: { error: () => undefined } }
    for (const way of ways) {
      const body = lines.filter(
        (line) => line === way || line.startsWith('client.on') || line.startsWith('const store'),
      )
      const code = `${body.join('\n').replace(/^\/\/ /gm, '')}\nreturn { client, store }`
      const made = (await asyncFunction(...Object.keys(scope), code)(...Object.values(scope))) as unknown as {
        client: Redis
        store: RedisStore
      }
      // The other ways connect to addresses that are only examples.
      if (way.startsWith('const')) expect(await made.store.ping()).toBeGreaterThan(0)
      made.client.disconnect()
      await made.store.close()
    }
  })

  test('the events of the example arrive', async () => {
    const store = new RedisStore({ client, prefix })
    const printed: unknown[][] = []
    const print = (...args: unknown[]) => printed.push(args)
    await asyncFunction(
      'store',
      'console',
      example(README, 'run', 'events'),
    )(store, { warn: print, error: print, log: print })
    store.emit('conflict', { handle: 'h', properties: ['a'] })
    store.emit('unavailable', { code: 'ERR_SESSION_TIMEOUT' })
    expect(printed).toEqual([[0], ['two requests changed', ['a'], 'h'], ['sessions are away:', 'ERR_SESSION_TIMEOUT']])
  })

  test('the near cache is switched on: a session that is read again is not asked for', async () => {
    const body = `${example(README, 'run', 'near-cache')}\nreturn store`
    const made = asyncFunction('RedisStore', 'client', body.replace('client,', `client, prefix: '${prefix}',`))
    const store = (await made(RedisStore, client)) as unknown as RedisStore
    await isCaching(store, { client })
    expect(store.cacheStats?.hits).toBeGreaterThan(0)
    await store.close()
  })

  test('no example of the page is left out of this file', () => {
    const names = examplesOf(README).map(({ kind, name }) => `${kind}: ${name}`)
    const tests = ['readme', 'shop', 'archiving', 'doctor'].map((name) => `test/docs/${name}.test.ts`)
    const source = tests.map((path) => readFileSync(path, 'utf8')).join('')
    for (const name of names) expect(source).toContain(`'${name.replace(': ', "', '")}'`)
  })
})

describe('the tables of the README', () => {
  const readme = readFileSync(README, 'utf8')
  const section = (title: string) => readme.split(/^## /m).find((text) => text.startsWith(`${title}\n`)) ?? ''

  test('every option is listed with its default, and none that does not exist', () => {
    const rows = [...section('Options').matchAll(/^\| `(\w+)` \| (.+?) \| /gm)].map(([, name, value]) => [
      name,
      value?.replaceAll('`', ''),
    ])
    const listed = new Map(rows.filter(([, value]) => value !== undefined) as [string, string][])
    for (const name of listed.keys()) {
      expect(() => new RedisStore({ [name]: undefined, client } as never)).not.toThrow()
    }
    for (const [name, value] of Object.entries(DEFAULTS)) {
      const shown = value === JSON ? 'JSON' : typeof value === 'string' ? `'${value}'` : String(value)
      expect([name, listed.get(name)]).toEqual([name, shown])
    }
    expect(listed.has('client') && listed.has('touchInterval') && listed.has('absoluteTimeout')).toBe(true)
  })

  test('every option of secureSession is listed, and none that does not exist', () => {
    const names = [...section('All of it in one line').matchAll(/^\| (`[\w` or]+`) \| .+ \| .+ \|$/gm)]
      .flatMap(([, cell]) => cell?.match(/\w+(?=`)/g) ?? [])
      .filter((name) => !(name in TIMEOUT_PRESETS))
    expect(names).toHaveLength(13)
    for (const name of names) {
      expect(() => secureSession({ [name]: undefined } as never)).toThrow(/^secureSession needs either/)
    }
  })

  test('every event is listed', () => {
    const store = new RedisStore({ client })
    for (const event of Object.keys(store.counters)) expect(readme).toMatch(new RegExp(`^\\|.*\`${event}\``, 'm'))
  })

  test('every error code has an entry in docs/errors.md, and every entry is a code', () => {
    const codes = [...readFileSync('src/errors.ts', 'utf8').matchAll(/^ {2}\| '(ERR_\w+)'/gm)].map(([, code]) => code)
    const entries = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^### (ERR_\w+)$/gm)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThan(10)
    expect([...entries].sort()).toEqual([...codes].sort())
  })

  test('every local link leads somewhere', () => {
    for (const page of [
      README,
      'docs/storage.md',
      'docs/errors.md',
      'docs/hosts.md',
      'docs/migrating.md',
      'docs/near-cache.md',
      'docs/archiving.md',
      'docs/doctor.md',
      'docs/operations.md',
      'docs/clients.md',
      'CONTRIBUTING.md',
    ]) {
      for (const [, target = ''] of readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)) {
        expect([page, target, existsSync(resolve(page, '..', target))]).toEqual([page, target, true])
      }
    }
  })
})

/** Installs the packages that the app imports; ours is its source. */
function installInto(modules: string): void {
  mkdirSync(join(modules, 'connect-redis-hash'), { recursive: true })
  for (const name of ['express', 'express-session', 'ioredis']) {
    symlinkSync(resolve('node_modules', name), join(modules, name))
  }
  const source = JSON.stringify(resolve(childScript('src', 'index.ts')))
  writeFileSync(join(modules, 'connect-redis-hash/index.js'), `export * from ${source}\n`)
  writeFileSync(join(modules, 'connect-redis-hash/package.json'), '{ "type": "module", "exports": "./index.js" }')
}

async function answers(port: number): Promise<void> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    if (response !== undefined) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the parameters are named by the caller
function asyncFunction(...parts: string[]): (...args: any[]) => Promise<void> {
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor
  return AsyncFunction(...parts) as never
}
