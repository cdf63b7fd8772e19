import { connectRedis, type RedisStore, rotateSession, type SecureSession, secureSession } from 'connect-redis-hash'
import express, { type ErrorRequestHandler } from 'express'
import { Redis } from 'ioredis'
import { CREATE } from '../../src/redis/scripts/create.js'
import { ENTER } from '../../src/redis/scripts/index-sessions.js'
import { allScripts } from '../support/all-scripts.js'
import { type Flight, Flights, type Journey } from '../support/flights.js'
import { privateRedis } from '../support/private-redis.js'
import { freshPrefix, socketPath } from '../support/redis.js'
import { ANY_CHANNEL } from '../support/server.js'
import { Visitor } from '../support/visitor.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

let flights: Flights
let client: Redis
const stores: RedisStore[] = []

beforeAll(async () => {
  flights = new Flights(await allScripts())
  client = new Redis({ port: await flights.lineTo({ path: socketPath() }) })
  await client.ping()
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})
afterAll(async () => {
  client.disconnect()
  await flights.close()
})

interface Site {
  sessions: SecureSession
  prefix: string
  visitor: Visitor
  newVisitor(): Visitor
}

function siteWith(options: object = {}): Site {
  const prefix = freshPrefix()
  const sessions = secureSession({
    client,
    prefix,
    // Replies are held back for a while.
    timeout: 60_000,
    secret: 'a secret that is long enough for the store',
    user: (session: Bag) => session.userId,
    cookie: { secure: false },
    ...options,
  } as never) as never as SecureSession
  stores.push(sessions.store as never)
  const app = express()
  app.use(sessions)
  app.get('/read', (_req, res) => void res.end())
  app.get('/write', (req, res) => {
    ;(req.session as Bag).n = Math.random()
    res.end()
  })
  app.get('/login', (req, res) => {
    ;(req.session as Bag).userId = 'ada'
    res.end()
  })
  app.get('/as/:user', (req, res) => {
    ;(req.session as Bag).userId = req.params.user
    res.end()
  })
  app.get('/passport', (req, res, next) => {
    req.session.regenerate((err) => {
      if (err) return next(err)
      ;(req.session as Bag).userId = 'ada'
      req.session.save((failed) => (failed ? next(failed) : res.end()))
    })
  })
  app.get('/again', (req, res, next) => {
    rotateSession(req).then((done) => res.json(done), next)
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.end()))
  })
  app.use(((err, _req, res, _next) => void res.status(err.status ?? 500).end(err.code)) as ErrorRequestHandler)
  const newVisitor = () => new Visitor(app)
  return { sessions, prefix, visitor: newVisitor(), newVisitor }
}

/** Whether anything but the process's own look for sessions that have ended was sent. */
const isOfRequest = (flight: Flight) => flight.some((name) => name !== 'due')
const named = (flight: Flight) => flight.filter((name) => name !== 'due').sort()

/** The flights that the request has waited for, and those behind it. */
async function journey(work: () => Promise<unknown>): Promise<Journey> {
  const { needed, later } = await flights.during(work)
  return { needed: needed.filter(isOfRequest).map(named), later: later.filter(isOfRequest).map(named) }
}

async function visit(visitor: Visitor, ...paths: string[]): Promise<void> {
  for (const path of paths) expect((await visitor.get(path)).status).toBe(200)
}

/** Makes Redis know every script: one that it does not know is sent a second time. */
async function warmUp(options: object = {}): Promise<void> {
  const { visitor, newVisitor } = siteWith(options)
  await visit(visitor, '/write', '/write', '/login', '/again', '/as/bob', '/passport', '/logout')
  await visit(newVisitor(), '/login')
  await (stores.at(-1) as RedisStore).destroyBy('user', 'ada')
  await visit(newVisitor(), '/login')
  await (stores.at(-1) as RedisStore).destroyBy('user', 'ada')
}

describe('the count', () => {
  test('is one for commands that do not wait for each other, however late in the turn they are sent', async () => {
    const { needed } = await flights.during(async () => {
      const sent = [client.ping()]
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
      await Promise.all([...sent, client.echo('x')])
    })
    expect(needed).toEqual([['PING', 'ECHO']])
  })

  test('is the number of replies that had to be waited for', async () => {
    const { needed, later } = await flights.during(async () => {
      await client.ping()
      await client.echo('x')
      void client.dbsize().then(() => client.time())
    })
    expect({ needed, later }).toEqual({ needed: [['PING'], ['ECHO']], later: [['DBSIZE'], ['TIME']] })
  })
})

const LIMIT = { index: 'user', max: 5, onExceed: 'evict' } as const
const onEnd = () => {}
const ALL = { onEnd, limit: LIMIT, activity: true }

/** What a request does, after others that have gone before it. */
interface Row {
  what: string
  before: string[]
  path: string
  flights: string[][]
}

const plain: Row[] = [
  { what: 'a read', before: ['/write'], path: '/read', flights: [['HGETALL']] },
  { what: 'a save', before: ['/write'], path: '/write', flights: [['HGETALL'], ['quick-save']] },
  {
    what: 'a login',
    before: ['/write'],
    path: '/login',
    flights: [['HGETALL'], ['end', 'mark rotated'], ['create', 'enter', 'enter']],
  },
  {
    what: 'a login that regenerates the session itself',
    before: ['/write'],
    path: '/passport',
    flights: [['HGETALL'], ['end', 'mark rotated'], ['create', 'enter', 'enter']],
  },
  { what: 'a login of a new visitor', before: [], path: '/login', flights: [['create', 'enter', 'enter']] },
  {
    what: 'a login of another user',
    before: ['/login'],
    path: '/as/bob',
    flights: [['HGETALL'], ['end', 'mark rotated'], ['ZREM', 'create', 'enter', 'enter']],
  },
  {
    what: 'rotateSession',
    before: ['/login'],
    path: '/again',
    flights: [['HGETALL'], ['enter', 'leave trail'], ['end'], ['GET', 'ZREM', 'create', 'enter']],
  },
  { what: 'a logout', before: ['/login'], path: '/logout', flights: [['HGETALL'], ['ZREM', 'end']] },
]

const full: Row[] = [
  { what: 'a read', before: ['/write'], path: '/read', flights: [['read-fields']] },
  { what: 'a save', before: ['/write'], path: '/write', flights: [['read-fields'], ['schedule', 'update']] },
  {
    what: 'a login',
    before: ['/write'],
    path: '/login',
    flights: [['read-fields'], ['admit'], ['end', 'mark rotated'], ['create', 'enter', 'schedule']],
  },
  {
    what: 'a login of a new visitor',
    before: [],
    path: '/login',
    flights: [['admit'], ['create', 'enter', 'schedule']],
  },
  { what: 'a logout', before: ['/login'], path: '/logout', flights: [['read-fields'], ['ZREM', 'end', 'schedule']] },
]

describe.each([
  ['with secureSession', {}, plain],
  ['with onEnd, limit and activity, too', ALL, full],
])('%s', (_with, options, rows) => {
  beforeAll(() => warmUp(options))

  test.each(rows)('$what needs these flights, and no others', async ({ before, path, flights: expected }) => {
    const { visitor } = siteWith(options)
    await visit(visitor, ...before)
    expect((await journey(() => visit(visitor, path))).needed).toEqual(expected)
  })

  test('destroyBy of 4 sessions needs 3 flights', async () => {
    const { sessions, newVisitor } = siteWith(options)
    for (let i = 0; i < 4; i++) await visit(newVisitor(), '/login')
    const { needed } = await journey(() => sessions.store.destroyBy('user', 'ada'))
    expect(needed.map(([first]) => first)).toEqual(['revoke', 'end', 'ZREM'])
  })
})

test('a client of connectRedis, which pipelines some commands by itself, needs no more', async () => {
  const own = connectRedis({ port: await flights.lineTo({ path: socketPath() }), commandTimeout: 60_000 })
  try {
    await warmUp({ client: own })
    const { visitor } = siteWith({ client: own })
    await visit(visitor, '/write')
    for (const [path, count] of [
      ['/login', 3],
      ['/again', 4],
      ['/logout', 2],
    ] as const) {
      expect((await journey(() => visit(visitor, path))).needed).toHaveLength(count)
    }
  } finally {
    own.disconnect()
  }
})

describe('behind the response', () => {
  test('a logout sends nothing more; with onEnd, one flight hands over', async () => {
    for (const [options, expected] of [
      [{}, []],
      [{ onEnd }, [['forget', 'unschedule']]],
    ] as const) {
      await warmUp(options)
      const { visitor } = siteWith(options)
      await visit(visitor, '/write', '/login')
      expect((await journey(() => visit(visitor, '/logout'))).later).toEqual(expected)
    }
  })
})

describe('what must not happen because a step before it has failed', () => {
  const user = `u${freshPrefix().replace(/\W/g, '')}`
  let own: Redis | undefined

  /** A site whose Redis user may not do everything. */
  async function limitedSite(prefix: string, ...denied: string[]): Promise<Redis> {
    await client.acl('SETUSER', user, 'reset', 'on', '>p', '~*', ...ANY_CHANNEL, '+@all', ...denied)
    own = new Redis(socketPath(), { username: user, password: 'p' })
    await own.ping()
    expect(prefix).not.toBe('')
    return own
  }
  afterEach(async () => {
    own?.disconnect()
    await client.acl('DELUSER', user)
  })

  test('a login whose index entry cannot be written: no session is left, and the login fails', async () => {
    const { visitor, prefix, newVisitor } = siteWith()
    await visit(visitor, '/write')
    await client.set(`idx:${prefix}user:ada`, 'of somebody else')
    for (const one of [visitor, newVisitor()]) {
      const before = one.cookie
      const { status } = await one.get('/login')
      expect(status).toBe(503)
      expect(one.cookie).toBe(before)
      expect(await client.keys(`${prefix}*`)).toEqual([])
    }
  })

  test('a login whose old session cannot be ended: there is no new session', async () => {
    const limited = await limitedSite('x', '-del')
    const { visitor, prefix } = siteWith({ client: limited })
    await visit(visitor, '/write')
    const keys = await client.keys(`${prefix}*`)
    expect((await visitor.get('/login')).status).toBe(503)
    expect(await client.keys(`${prefix}*`)).toEqual(keys)
    expect(await client.exists(`idx:${prefix}user:ada`)).toBe(0)
  })

  test('a logout whose session cannot be ended: its index still names it', async () => {
    const limited = await limitedSite('x')
    const { visitor, sessions } = siteWith({ client: limited })
    await visit(visitor, '/login')
    await client.acl('SETUSER', user, '-del')
    expect((await visitor.get('/logout')).status).toBe(503)
    await client.acl('SETUSER', user, '+del')
    expect(await sessions.store.findBy('user', 'ada')).toHaveLength(1)
    expect(await sessions.store.destroyBy('user', 'ada')).toBe(1)
  })
})

test('where Redis knows one script and not the next, the session is entered again behind its write', async () => {
  // Others must not load scripts meanwhile.
  const redis = await privateRedis()
  const own = new Redis({ port: await flights.lineTo({ path: redis.socketPath }) })
  const { newVisitor } = siteWith({ client: own })
  await own.script('LOAD', ENTER.lua)
  const { needed } = await journey(() => visit(newVisitor(), '/login'))
  expect(needed).toEqual([['create', 'enter', 'enter'], ['create'], ['enter']])
  expect(await own.script('EXISTS', CREATE.sha)).toEqual([1])
  own.disconnect()
  await redis.stop()
})
