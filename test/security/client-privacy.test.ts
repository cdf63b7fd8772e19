import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { bindClient, RedisStore, rotateOnLogin, type SessionEventName } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import request from 'supertest'
import { privateRedis } from '../support/private-redis.js'

const ADDRESSES = [
  '203.0.113.77',
  '203.0.113.78',
  '198.51.100.20',
  '2001:db8:aa:bb::77',
  '::ffff:203.0.113.77',
  'unknown',
]
const AGENTS = ['Mozilla/5.0 (X11; Linux x86_64) QuiteUncommon/4711.0', 'curl/8.15.0', 'Tiny/1']
/**
 * The values as they were sent, and as a network prefix or a number would show them; a digest holds none of them by
 * chance.
 */
const LITERALS = [
  ...['203.0.113', '198.51.100', '2001:db8', '2001:0db8', '20010db8', 'cb0071', 'c63364', '3405803776'],
  ...['mozilla', 'x11; linux', 'quiteuncommon', '/4711.0', 'curl/8', 'tiny/1'],
]
const EVENTS: SessionEventName[] = ['created', 'saved', 'destroyed', 'rotated', 'refused', 'mismatch', 'warning']

test('no address and no User-Agent in keys, values, the AOF, MONITOR, events or what the process prints', async () => {
  const redis = await privateRedis(['--appendonly', 'yes', '--appendfsync', 'always'])
  const told: string[] = []
  const printed: unknown[] = []
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((text) => printed.push(text) > 0),
  )
  const monitor = await redis.admin.monitor()
  monitor.on('monitor', (_time: string, args: string[]) => told.push(args.join(' ')))
  try {
    const store = new RedisStore({ client: redis.connect(), touchInterval: 0 })
    for (const name of EVENTS) store.on(name, (payload) => told.push(JSON.stringify([name, payload])))
    const app = express()
    app.set('trust proxy', 1)
    app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
    app.use(bindClient({ secret: 'key' }))
    app.use(rotateOnLogin({ principal: (held) => (held as { user?: string }).user }))
    app.get('/login', (req, res) => {
      Object.assign(req.session, { user: 'ada' })
      res.json((req as { sessionBinding?: unknown }).sessionBinding)
    })
    const verdicts = new Set<string>()
    for (const ip of ADDRESSES) {
      for (const agent of AGENTS) {
        const login = await request(app).get('/login').set({ 'X-Forwarded-For': ip, 'User-Agent': agent }).expect(200)
        const cookie = login.headers['set-cookie']?.[0] as string
        for (const other of ADDRESSES) {
          for (const otherAgent of AGENTS) {
            const headers = { 'X-Forwarded-For': other, 'User-Agent': otherAgent, Cookie: cookie }
            verdicts.add((await request(app).get('/login').set(headers).expect(200)).body.verdict)
          }
        }
      }
    }
    expect(verdicts).toEqual(new Set(['match', 'network', 'client', 'both']))

    await redis.admin.echo('the end')
    while (!told.includes('echo the end')) await new Promise((resolve) => setImmediate(resolve))
    for (const key of await redis.admin.keys('*')) told.push(key, JSON.stringify(await redis.admin.hgetall(key)))
    const files = readdirSync(redis.dir, { recursive: true, encoding: 'utf8' }).map((name) => join(redis.dir, name))
    const aof = files.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, 'latin1'))
    // The AOF names its database and Redis version, but nothing of the visitors.
    const everything = [...told, ...aof, ...printed.map(String)].join('\n').toLowerCase()
    for (const present of ['@ip4', '@ip6', '@ua', '"mismatch"', 'ada']) expect(everything).toContain(present)
    expect(aof.join('')).toContain('@ip4')
    expect(LITERALS.filter((literal) => everything.includes(literal))).toEqual([])
  } finally {
    for (const spy of spies) spy.mockRestore()
    monitor.disconnect()
    await redis.stop()
  }
})
