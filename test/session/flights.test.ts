import { RedisStore, rotateSession, secureSession } from 'connect-redis-hash'
import express, { type Request } from 'express'
import { Redis } from 'ioredis'
import { Flights, type Journey } from '../support/flights.js'
import { freshPrefix, socketPath } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

let flights: Flights
let client: Redis

beforeAll(async () => {
  flights = await Flights.open()
  client = new Redis({ port: await flights.lineTo({ path: socketPath() }) })
  await client.ping()
})
afterAll(async () => {
  client.disconnect()
  await flights.close()
})

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

const stores: RedisStore[] = []
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})

const ALL = { onEnd: () => {}, limit: { index: 'user', max: 5, onExceed: 'evict' }, activity: true } as const

function visitorOf(options: object): Visitor {
  const app = express()
  const sessions = secureSession({
    client,
    prefix: freshPrefix(),
    timeout: 30_000,
    secret: 'a secret that is long enough for the store',
    user: (session: Bag) => session.userId,
    cookie: { secure: false },
    ...options,
  } as never)
  stores.push(sessions.store as never)
  app.use(sessions)
  app.get('/read', (_req, res) => res.end('ok'))
  app.get('/write', (req, res) => {
    ;(req.session as Bag).n = Math.random()
    res.end()
  })
  app.get('/login', (req, res) => {
    ;(req.session as Bag).userId = 'u'
    res.end()
  })
  app.get('/passport', (req, res, next) => {
    req.session.regenerate((err) => {
      if (err) return next(err)
      ;(req.session as Bag).userId = 'u'
      req.session.save((failed) => (failed ? next(failed) : res.end()))
    })
  })
  app.get('/again', (req: Request, res, next) => {
    rotateSession(req).then(() => res.end(), next)
  })
  app.get('/out', (req, res) => {
    ;(req.session as Bag).userId = undefined
    res.end()
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.end()))
  })
  return new Visitor(app)
}

test('measure', async () => {
  const rows: string[] = []
  const row = (name: string, { needed, later }: Journey) => {
    rows.push(`${name}: ${needed.length} + ${later.length}: ${needed.map((f) => f.join(',')).join(' | ')} || ${later.map((f) => f.join(',')).join(' | ')}`)
  }
  for (const [name, options] of [
    ['plain', {}],
    ['all', ALL],
  ] as const) {
    for (let warm = 0; warm < 2; warm++) {
      rows.length = warm === 0 ? rows.length : rows.length - 10
      const visitor = visitorOf(options)
      const go = (path: string) => flights.during(async () => {
        const { status } = await visitor.get(path)
        expect(status).toBe(200)
      })
      row(`${name} first`, await go('/write'))
      row(`${name} read`, await go('/read'))
      row(`${name} write`, await go('/write'))
      row(`${name} login`, await go('/login'))
      row(`${name} write as user`, await go('/write'))
      row(`${name} again`, await go('/again'))
      row(`${name} passport`, await go('/passport'))
      row(`${name} logout`, await go('/logout'))
      visitor.cookie = ''
      row(`${name} destroyBy of one`, await flights.during(() => (stores.at(-1) as RedisStore).destroyBy('user', 'u')))
      visitor.cookie = ''
      row(`${name} login of a new visitor`, await go('/login'))
    }
  }
  console.log(rows.join('\n'))
})
