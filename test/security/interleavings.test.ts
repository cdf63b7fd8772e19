import { createServer, type Server } from 'node:http'
import {
  type DestroyByOptions,
  RedisStore,
  type RedisStoreOptions,
  rotateOnLogin,
  rotateSession,
} from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { type SteppedLine, steppedLineTo } from '../support/guarded-line.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

// Two requests of one visitor overlap. Each of their Redis commands waits, and they go through in every order there is.

const prefix = freshPrefix()
const client = connect()
const lines: SteppedLine[] = []
const clients: Redis[] = [client]
const servers: Server[] = []

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any

/** One of the two requests: a process of its own as far as Redis can tell. */
interface Side {
  line: SteppedLine
  store(options?: Partial<RedisStoreOptions>): RedisStore
}

let slow: Side
let ending: Side

async function side(): Promise<Side> {
  const line = await steppedLineTo(socketPath(), prefix)
  const own = new Redis(line.path)
  lines.push(line)
  clients.push(own)
  return {
    line,
    store: (options) => new RedisStore({ client: own, prefix, touchInterval: 0, timeout: 10_000, ...options }),
  }
}

beforeAll(async () => {
  slow = await side()
  ending = await side()
})
beforeEach(clean)
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  for (const one of clients) one.disconnect()
  for (const line of lines) await line.close()
})

async function clean(): Promise<void> {
  await client.del('none', ...(await client.keys(`*${prefix}*`)))
}

/** Every order of `a` steps of one side and `b` of the other. */
function* orders(a: number, b: number, begun: readonly Side[] = []): Generator<readonly Side[]> {
  if (a === 0 && b === 0) yield begun
  if (a > 0) yield* orders(a - 1, b, [...begun, slow])
  if (b > 0) yield* orders(a, b - 1, [...begun, ending])
}

/** Runs both, their commands in this order; what one sends beyond it goes through at the end. */
async function interleave<A, B>(order: readonly Side[], one: () => Promise<A>, two: () => Promise<B>): Promise<[A, B]> {
  for (const { line } of [slow, ending]) line.hold()
  const works = new Map<Side, Promise<unknown>>([
    [slow, one()],
    [ending, two()],
  ])
  try {
    for (const turn of order) await turn.line.step(works.get(turn) as Promise<unknown>)
  } finally {
    for (const { line } of [slow, ending]) line.release()
  }
  return (await Promise.all(works.values())) as [A, B]
}

/** At most so many of them, spread evenly. */
function someOf<T>(all: readonly T[], most: number): T[] {
  const step = Math.max(1, Math.ceil(all.length / most))
  return all.filter((_, i) => i % step === 0)
}

/** Whether each command that a side sends when it is alone may write. */
type Commands = readonly ('read' | 'write')[]

const READS = new Set(['hgetall', 'hmget', 'get', 'exists', 'zscore'])

async function commandsOf({ line }: Side, work: () => Promise<unknown>): Promise<Commands> {
  line.hold()
  const running = work()
  const commands: ('read' | 'write')[] = []
  for (let args = await line.step(running); args !== undefined; args = await line.step(running))
    commands.push(READS.has(String(args[0]).toLowerCase()) ? 'read' : 'write')
  line.release()
  await running
  return commands
}

/** Before anything is written, both read the same in whatever order: one of such orders is enough. */
function isOneOfItsKind(order: readonly Side[], a: Commands, b: Commands): boolean {
  const at = new Map([
    [slow, a.values()],
    [ending, b.values()],
  ])
  let hasEndingRead = false
  for (const turn of order) {
    if (at.get(turn)?.next().value === 'write') return true
    if (turn === slow && hasEndingRead) return false
    hasEndingRead ||= turn === ending
  }
  return true
}

/** The orders of these commands that may end in another way than those before them. */
function ordersToTry(a: Commands, b: Commands, least: number): (readonly Side[])[] {
  const all = [...orders(a.length, b.length)]
  expect(all.length).toBeGreaterThanOrEqual(least)
  return all.filter((order) => isOneOfItsKind(order, a, b))
}

function serverOn(store: RedisStore, rotating: boolean): Server {
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  if (rotating) app.use(rotateOnLogin({ principal: (held) => (held as Bag).user }))
  app.get('/in', (req, res) => {
    ;(req.session as Bag).user = 'ada'
    res.end()
  })
  app.get('/show', (req, res) => {
    res.json({ user: (req.session as Bag).user ?? null })
  })
  app.get('/put', (req, res) => {
    ;(req.session as Bag).late = 1
    res.end()
  })
  app.get('/twice', (req, res, next) => {
    ;(req.session as Bag).late = 1
    req.session.save((err) => {
      ;(req.session as Bag).later = 2
      if (err) next(err)
      else res.end()
    })
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.end('bye')))
  })
  app.get('/regenerate', (req, res, next) => {
    req.session.regenerate((err) => (err ? next(err) : res.end('anew')))
  })
  app.get('/drop-user', (req, res) => {
    delete (req.session as Bag).user
    res.end('bye')
  })
  app.get('/switch', (req, res) => {
    ;(req.session as Bag).user = 'bob'
    res.end('bob')
  })
  app.get('/again', (req, res, next) => {
    rotateSession(req).then(() => res.end('again'), next)
  })
  const server = createServer(app).listen(0)
  servers.push(server)
  return server
}

const kept: Record<string, (sid: string) => Promise<unknown>> = {
  'a hash': async () => undefined,
  "connect-redis's string": (sid) =>
    client.set(prefix + sid, JSON.stringify({ cookie: { path: '/', originalMaxAge: null }, user: 'ada' }), 'EX', 600),
}

describe.each([
  ['plain express-session', false, ['/logout', '/regenerate']],
  ['rotateOnLogin', true, ['/logout', '/regenerate', '/drop-user', '/switch', '/again']],
] as const)('with %s', (_name, rotating, endings) => {
  let late: Server
  let ender: Server

  beforeAll(() => {
    late = serverOn(slow.store(), rotating)
    ender = serverOn(ending.store(), rotating)
  })

  async function loggedIn(make: (sid: string) => Promise<unknown>): Promise<[Visitor, Visitor]> {
    const visitor = new Visitor(ender)
    await visitor.get('/in')
    await make(visitor.sid)
    return [new Visitor(late, visitor.cookie), visitor]
  }

  const cases = endings.flatMap((end) =>
    ['/show', '/put', '/twice'].flatMap((work) => Object.keys(kept).map((kind) => [work, end, kind] as const)),
  )

  test.each(cases)(
    '%s against %s, in every order of their commands, on %s: nothing is left under the old id',
    async (work, end, kind) => {
      const make = kept[kind] as (sid: string) => Promise<unknown>
      const [alone] = await loggedIn(make)
      const a = await commandsOf(slow, () => alone.get(work))
      const [, other] = await loggedIn(make)
      const b = await commandsOf(ending, () => other.get(end))
      for (const order of ordersToTry(a, b, 6)) {
        await clean()
        const [twin, visitor] = await loggedIn(make)
        const { cookie, sid: old } = visitor
        const [, answer] = await interleave(
          order,
          () => twin.get(work),
          () => visitor.get(end),
        )
        expect(answer.status).toBe(200)
        expect(await client.exists(prefix + old)).toBe(0)
        expect((await new Visitor(late, cookie).get('/show')).body).toEqual({ user: null })
        await expectWhole(end === '/again' ? [visitor.sid] : [])
        if (end === '/switch') expect(await propertiesOf(visitor.sid)).toEqual(['user'])
      }
    },
  )
})

describe.each([
  ['plain express-session', false, ['/logout', '/regenerate']],
  ['rotateOnLogin', true, ['/logout', '/regenerate', '/drop-user', '/switch']],
] as const)('a session gets a new id from rotateSession, with %s', (_name, rotating, endings) => {
  let late: Server
  let ender: Server

  beforeAll(() => {
    late = serverOn(slow.store(), rotating)
    ender = serverOn(ending.store(), rotating)
  })

  async function loggedIn(): Promise<[Visitor, Visitor]> {
    const visitor = new Visitor(ender)
    await visitor.get('/in')
    return [new Visitor(late, visitor.cookie), visitor]
  }

  test.each(endings)(
    '%s, which has loaded it, against this, in every order of their commands or 150 of them: Ada is logged out',
    async (end) => {
      // Redis does not know the scripts before the first time.
      let counts: [Commands, Commands] = [[], []]
      for (let time = 0; time < 2; time++) {
        const [alone] = await loggedIn()
        const a = await commandsOf(slow, () => alone.get('/again'))
        const [, other] = await loggedIn()
        counts = [a, await commandsOf(ending, () => other.get(end))]
      }
      // Its first command loads the session. It sends one more where it does not find it.
      for (const order of someOf([...orders(counts[0].length, counts[1].length + 1)], 150)) {
        await clean()
        const [twin, visitor] = await loggedIn()
        const [, answer] = await interleave(
          [ending, ...order],
          () => twin.get('/again'),
          () => visitor.get(end),
        )
        expect(answer.status).toBe(200)
        expect((await twin.get('/show')).body).toEqual({ user: null })
        await expectWhole([])
      }
    },
  )

  test.each(endings)('twice before %s has begun to write: Ada is logged out', async (end) => {
    const [twin, visitor] = await loggedIn()
    ending.line.hold()
    const leaving = visitor.get(end)
    await ending.line.step(leaving)
    await twin.get('/again')
    await twin.get('/again')
    ending.line.release()
    expect((await leaving).status).toBe(200)
    expect((await twin.get('/show')).body).toEqual({ user: null })
    await expectWhole([])
  })
})

test('a logout of a visitor who was nobody yet does not undo a login that overlaps it', async () => {
  const late = serverOn(slow.store(), true)
  const visitor = new Visitor(serverOn(ending.store(), true))
  await visitor.get('/put')
  slow.line.hold()
  const leaving = new Visitor(late, visitor.cookie).get('/logout')
  await slow.line.step(leaving)
  await visitor.get('/in')
  slow.line.release()
  await leaving
  expect((await visitor.get('/show')).body).toEqual({ user: 'ada' })
})

/** Every key has a TTL, and nobody is logged in as Ada except under these ids. */
async function expectWhole(adas: string[]): Promise<void> {
  const reader = new RedisStore({ client, prefix })
  for (const key of await client.keys(`*${prefix}*`)) expect(await client.pttl(key)).toBeGreaterThan(0)
  const found: string[] = []
  for (const sid of await reader.ids()) {
    if (((await reader.get(sid)) as Bag)?.user === 'ada') found.push(sid)
  }
  expect(found).toEqual(adas)
  expect(reader.counters.corrupt).toBe(0)
}

async function propertiesOf(sid: string): Promise<string[]> {
  const { cookie: _cookie, ...held } = (await new RedisStore({ client, prefix }).read(sid)) as Bag
  return Object.keys(held)
}

describe('all sessions of a user are ended', () => {
  const indexes = { user: (held: Bag) => held.user }
  let late: Server
  let ender: RedisStore

  beforeAll(() => {
    late = serverOn(slow.store({ indexes, touchInterval: 60 }), false)
    ender = ending.store({ indexes })
  })

  async function loggedIn(make: (sid: string) => Promise<unknown> = async () => undefined): Promise<Visitor> {
    const visitor = new Visitor(late)
    await visitor.get('/in')
    await make(visitor.sid)
    return visitor
  }

  async function commands(
    work: string,
    options: DestroyByOptions,
    make?: (sid: string) => Promise<unknown>,
  ): Promise<[Commands, Commands]> {
    // Redis does not know the scripts before the first time.
    let counts: [Commands, Commands] = [[], []]
    for (let time = 0; time < 2; time++) {
      await clean()
      const alone = await loggedIn(make)
      const a = await commandsOf(slow, () => alone.get(work))
      await clean()
      await loggedIn(make)
      counts = [a, await commandsOf(ending, () => ender.destroyBy('user', 'ada', options))]
    }
    return counts
  }

  test.each<[string, string, DestroyByOptions]>([
    ['/again', 'a hash', {}],
    ['/put', 'a hash', {}],
    ['/put', "connect-redis's string", { thorough: true }],
    ['/again', "connect-redis's string", { thorough: true }],
  ])(
    '%s against destroyBy, in every order of their commands or 150 of them, on %s: nobody is left',
    async (work, kind, options) => {
      const make = kept[kind] as (sid: string) => Promise<unknown>
      let tried = 0
      for (const order of someOf(ordersToTry(...(await commands(work, options, make)), 15), 150)) {
        await clean()
        const thief = await loggedIn(make)
        await interleave(
          order,
          () => thief.get(work),
          () => ender.destroyBy('user', 'ada', options),
        )
        await expectWhole([])
        expect(await ender.findBy('user', 'ada')).toEqual([])
        tried += 1
      }
      expect(tried).toBeGreaterThanOrEqual(15)
    },
  )

  test('one that is to stay, and gets another id meanwhile, in 60 orders: it stays, and the other one ends', async () => {
    let stayed = 0
    for (const order of someOf(ordersToTry(...(await commands('/again', {})), 15), 60)) {
      await clean()
      const visitor = await loggedIn()
      const { sid } = visitor
      await loggedIn()
      await interleave(
        order,
        () => visitor.get('/again'),
        () => ender.destroyBy('user', 'ada', { except: sid }),
      )
      // A session that got its new id before anything was ended is not the one that was to stay.
      const isAnother = order.lastIndexOf(slow) < order.indexOf(ending)
      await expectWhole(isAnother ? [] : [visitor.sid])
      if (!isAnother) stayed += 1
    }
    expect(stayed).toBeGreaterThanOrEqual(15)
  })
})

describe.each([
  ['the same order', ['new', 'old']],
  ['opposite orders', ['old', 'new']],
])('a session that moves to another hashIds secret, with the lists of both processes in %s', (_name, endersList) => {
  const before = new RedisStore({ client, prefix, hashIds: 'old' })
  const cookie = { originalMaxAge: null, path: '/' }

  test.each<[string, (store: RedisStore, loaded: Bag) => Promise<unknown>]>([
    ['set', (store, loaded) => store.set('sid', Object.assign(loaded, { late: 1 }))],
    ['touch', (store, loaded) => store.touch('sid', loaded)],
    ['patch', (store) => store.patch('sid', { late: 1 })],
    ['increment', (store) => store.increment('sid', 'count')],
  ])('%s against destroy, in every order of their commands: nothing is left under either id', async (_name, write) => {
    const one = slow.store({ hashIds: ['new', 'old'] })
    const two = ending.store({ hashIds: endersList })
    const make = async () => {
      await before.set('sid', { cookie, user: 'ada', count: 1 } as never)
      return one.get('sid')
    }
    const first = await make()
    const a = await commandsOf(slow, () => write(one, first))
    await two.destroy('sid')
    const b = await commandsOf(ending, () => two.destroy('sid'))
    for (const order of ordersToTry(a, b, 20)) {
      const loaded = await make()
      await interleave(
        order,
        () => write(one, loaded),
        () => two.destroy('sid'),
      )
      expect(await client.keys(`*${prefix}*`)).toEqual([])
    }
  })

  test('set against destroyBy, in 100 orders of their commands: nobody is left under either id', async () => {
    const indexes = { user: (held: Bag) => held.user }
    const made = new RedisStore({ client, prefix, hashIds: 'old', indexes })
    const one = slow.store({ hashIds: ['new', 'old'], indexes })
    const two = ending.store({ hashIds: endersList, indexes })
    const make = async () => {
      await clean()
      await made.set('sid', { cookie, user: 'ada' } as never)
      return one.get('sid')
    }
    const write = (loaded: Bag) => one.set('sid', Object.assign(loaded, { late: 1 }))
    const end = () => two.destroyBy('user', 'ada')
    let counts: [Commands, Commands] = [[], []]
    for (let time = 0; time < 2; time++) {
      const first = await make()
      const a = await commandsOf(slow, () => write(first))
      await make()
      counts = [a, await commandsOf(ending, end)]
    }
    for (const order of someOf(ordersToTry(...counts, 20), 100)) {
      const loaded = await make()
      await interleave(order, () => write(loaded), end)
      await expectWhole([])
      expect(await two.findBy('user', 'ada')).toEqual([])
    }
  })
})
