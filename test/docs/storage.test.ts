import { readFileSync } from 'node:fs'
import { RedisStore, renewSession, type SessionInfo } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import { challengeText } from '../../src/hash/device-field.js'
import { CONVERT } from '../../src/redis/scripts/convert.js'
import { CREATE } from '../../src/redis/scripts/create.js'
import { BIND_DEVICE, CHALLENGE_DEVICE, CONFIRM_DEVICE, PROVE_DEVICE } from '../../src/redis/scripts/device.js'
import { CLAIM, END, FORGET } from '../../src/redis/scripts/end.js'
import { SCHEDULE, UNSCHEDULE } from '../../src/redis/scripts/ends-queue.js'
import { INCREMENT } from '../../src/redis/scripts/increment.js'
import { ENTER, REOPEN, REVOKE } from '../../src/redis/scripts/index-sessions.js'
import { PAGE } from '../../src/redis/scripts/page.js'
import { QUICK_SAVE } from '../../src/redis/scripts/quick-save.js'
import { READ } from '../../src/redis/scripts/read.js'
import { CONFIRM, IN_GRACE, RENEW } from '../../src/redis/scripts/renew.js'
import { SLIDE_STRING } from '../../src/redis/scripts/slide-string.js'
import { UPDATE } from '../../src/redis/scripts/update.js'
import { WRITE_STRING } from '../../src/redis/scripts/write-string.js'
import { STORE_ACCESS } from '../../src/requests/store-access.js'
import { CACHE, isCaching } from '../support/near-cache.js'
import { passTime } from '../support/pass-time.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { isRedisSince } from '../support/server.js'
import { unlessStalled } from '../support/unless-stalled.js'
import { until } from '../support/until.js'
import { Visitor } from '../support/visitor.js'

/** docs/storage.md shows each operation as the commands it runs; this test runs each, and asks Redis what it saw. */
const prefix = 'sess:'
let redis: PrivateRedis
let client: PrivateRedis['admin']
let store: RedisStore
let eager: RedisStore
let indexed: RedisStore
let merging: RedisStore
let ending: RedisStore
let caching: RedisStore
let writingStrings: RedisStore
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const documented = blocks(readFileSync('docs/storage.md', 'utf8'))

type Bag = Record<string, unknown> & { cookie: never }
let held: Bag
let last: SessionInfo | undefined

const make = () => store.set('x', { cookie, user: 'u-1', visits: 1 } as never)
const load = async () => {
  held = (await store.get('x')) as unknown as Bag
}
const makeAndLoad = () => make().then(load)
const makeString = async () => {
  await client.set(`${prefix}x`, JSON.stringify({ cookie, user: 'u-1' }), 'EX', 1800)
  await load()
}

/** Makes a new store each time: it is closed before it looks for sessions that are due. */
const makeEnding = () => {
  ending = new RedisStore({ client, ttl: 1800, onEnd: () => {} })
  return ending.set('x', { cookie, user: 'u-1', visits: 1 } as never)
}

/**
 * Makes a new store each time, and closes it at the end: its PINGs are no operation. The next PING comes a while after
 * this.
 */
const makeCaching = async () => {
  await make()
  caching = new RedisStore({ client, ttl: 1800, cache: CACHE })
  await isCaching(caching, { client })
  seen = []
  await until('it has asked whether Redis is there', () => seen.includes('PING'), { everyMs: 1 })
}

const makeCart = (cart: object = {}) => store.set('x', { cookie, cart } as never)
const makeIndexed = () => indexed.set('x', { cookie, user: 'u-1' } as never)

/** A visitor whose session is due to be renewed. */
let visitor: Visitor
let old: Visitor
const app = express()
app.use((req, res, next) => sessions(req, res, next))
app.use(renewSession({ every: 600, grace: 30 }))
app.use((req, res) => {
  if (req.path === '/login') Object.assign(req.session, { user: 'u-1' })
  res.end()
})
let sessions: express.RequestHandler
const login = async () => {
  const plain = new RedisStore({ client, disableTouch: true })
  const ids = ['x', 'y']
  const genid = () => ids.shift() as string
  sessions = session({ store: plain, genid, secret: 's', resave: false, saveUninitialized: false })
  visitor = new Visitor(app)
  await visitor.get('/login')
  // This shows the process that session() does not use `rolling`.
  await visitor.get('/')
  old = new Visitor(app, visitor.cookie)
  await passTime(client, `${prefix}x`, 600_000)
}
const renew = async () => {
  await login()
  await visitor.get('/')
}
const confirm = async () => {
  await renew()
  await visitor.get('/')
}

const KEY = 'A'.repeat(44)
const SECRET = 'b'.repeat(22)
const CHALLENGE = 'c'.repeat(22)
const devices = () => store[STORE_ACCESS].devices
const makeOffered = async () => {
  await makeAndLoad()
  await client.hset(`${prefix}x`, '@dc', challengeText(CHALLENGE, Date.now()))
}
const makeBound = async () => {
  await makeOffered()
  await devices().bind(held, KEY, CHALLENGE, SECRET)
}
const makeConfirmed = async () => {
  await makeBound()
  await devices().confirm(held)
}

/** For each operation, what goes before it unseen, and the operation itself. */
const operations: Record<string, [() => Promise<unknown>, () => Promise<unknown>]> = {
  get: [make, () => store.get('x')],
  'get, with `cache`, of a session that is not cached': [
    makeCaching,
    () => caching.get('x').then(() => caching.close()),
  ],
  'get and touch, with `cache`, of a session that is cached': [
    async () => {
      await makeCaching()
      await caching.get('x')
    },
    async () => {
      await caching.touch('x', (await caching.get('x')) as never)
      await caching.close()
    },
  ],
  'bindDevice, registration of a device': [makeOffered, () => devices().bind(held, KEY, CHALLENGE, SECRET)],
  'bindDevice, first step of a refresh': [makeBound, () => devices().challenge(held)],
  'bindDevice, second step of a refresh': [
    async () => {
      await makeConfirmed()
      await client.hset(`${prefix}x`, '@dc', challengeText(CHALLENGE, Date.now()))
    },
    () => devices().prove(held, KEY, CHALLENGE),
  ],
  'bindDevice, of the first request with a bound cookie': [makeBound, () => devices().confirm(held)],
  'The connection of the near cache': [
    async () => {},
    async () => {
      const connecting = new RedisStore({ client, ttl: 1800, cache: CACHE })
      await until('it is at work', () => seen.includes('PING'))
      await connecting.close()
    },
  ],
  'set, of a session that was not loaded': [() => store.destroy('x'), make],
  'set, of a session that was not loaded but exists': [make, () => store.set('x', { cookie, theme: 'dark' } as never)],
  'set, of a session that was loaded': [
    makeAndLoad,
    () => {
      held.visits = 2
      return store.set('x', held)
    },
  ],
  'set, of a session that was loaded and that others have written since': [
    async () => {
      await makeAndLoad()
      await store.patch('x', { theme: 'dark' })
    },
    () => {
      held.visits = 2
      return store.set('x', held)
    },
  ],
  'set, of a session that was loaded and loses a property': [
    makeAndLoad,
    () => {
      held.visits = 2
      delete held.user
      return store.set('x', held)
    },
  ],
  'set, with `merge`, where others were faster': [
    async () => {
      await makeCart()
      held = (await merging.get('x')) as unknown as Bag
      const other = (await merging.get('x')) as unknown as Bag
      Object.assign(other, { cart: { pears: 1 } })
      await merging.set('x', other)
    },
    () => {
      Object.assign(held, { cart: { apples: 1 } })
      return merging.set('x', held)
    },
  ],
  'set, of a session that was loaded, after `touchInterval`': [
    async () => {
      await make()
      held = (await eager.get('x')) as unknown as Bag
    },
    () => {
      held.visits = 2
      return eager.set('x', held)
    },
  ],
  'touch, within `touchInterval` of the last refresh': [makeAndLoad, () => store.touch('x', held)],
  'touch, after it': [
    async () => {
      await make()
      held = (await eager.get('x')) as unknown as Bag
    },
    () => eager.touch('x', held),
  ],
  destroy: [make, () => store.destroy('x')],
  patch: [make, () => store.patch('x', { theme: 'dark', visits: undefined })],
  setPath: [() => makeCart({ apples: 1 }), () => store.setPath('x', ['cart', 'apples'] as never, 2 as never)],
  getPath: [() => makeCart({ apples: 1 }), () => store.getPath('x', ['cart', 'apples'] as never)],
  increment: [make, () => store.increment('x', 'visits')],
  'patch, with an index': [makeIndexed, () => indexed.patch('x', { theme: 'dark', visits: undefined })],
  'increment, with an index': [makeIndexed, () => indexed.increment('x', 'visits')],
  'read, of some fields': [make, () => store.read('x', ['visits'])],
  'exists, info': [make, () => store.exists('x')],
  'renewSession, where the next id is due': [login, () => visitor.get('/')],
  'renewSession, of the first request with the next id': [renew, () => visitor.get('/')],
  'renewSession, of a request with the id before': [confirm, () => old.get('/')],
  'renewSession, of a request with the id before, after the grace': [
    async () => {
      await confirm()
      await passTime(client, `${prefix}x`, 30_000)
    },
    () => old.get('/'),
  ],
  'set, of a session that was not loaded, with an index': [async () => {}, makeIndexed],
  findBy: [makeIndexed, () => indexed.findBy('user', 'u-1')],
  'findBy, of the page behind a session': [
    async () => {
      await makeIndexed()
      last = (await indexed.findBy('user', 'u-1')).at(-1)
      await indexed.findBy('user', 'u-1', { after: last })
    },
    () => indexed.findBy('user', 'u-1', { after: last }),
  ],
  countBy: [makeIndexed, () => indexed.countBy('user', 'u-1')],
  destroyBy: [makeIndexed, () => indexed.destroyBy('user', 'u-1')],
  stats: [makeIndexed, () => indexed.stats()],
  'get, with `onEnd`': [makeEnding, () => ending.get('x').then(() => ending.close())],
  'set, of a session that was loaded, with `onEnd`': [
    async () => {
      await makeEnding()
      held = (await ending.get('x')) as unknown as Bag
    },
    async () => {
      held.visits = 2
      delete held.user
      await ending.set('x', held)
      await ending.close()
    },
  ],
  // close() waits for what the store does after the logout.
  'destroy, with `onEnd`': [makeEnding, () => ending.destroy('x').then(() => ending.close())],
  'ids, length': [make, () => store.length()],
  'all, scan': [make, () => store.all()],
  clear: [make, () => store.clear()],
  ping: [make, () => store.ping()],
  'get, of a string': [makeString, () => store.get('x')],
  'touch, of a string': [makeString, () => store.touch('x', held)],
  'set, of a string': [
    makeString,
    () => {
      held.user = 'u-2'
      return store.set('x', held)
    },
  ],
  "set, of a string, with convert: 'never'": [
    async () => {
      await makeString()
      held = (await writingStrings.get('x')) as unknown as Bag
    },
    () => {
      held.user = 'u-2'
      return writingStrings.set('x', held)
    },
  ],
}

let seen: string[] = []
let monitor: PrivateRedis['admin']

beforeAll(async () => {
  // A server of its own: among other keys, SCAN would take more pages.
  redis = await privateRedis()
  client = redis.admin
  store = new RedisStore({ client, ttl: 1800 })
  merging = new RedisStore({ client, ttl: 1800, merge: ['cart'] as never })
  writingStrings = new RedisStore({ client, ttl: 1800, convert: 'never' })
  indexed = new RedisStore({ client, ttl: 1800, indexes: { user: (session) => session.user } })
  eager = new RedisStore({ client, ttl: 1800, touchInterval: 0 })
  // Every script runs once, so that Redis knows it.
  for (const name of [
    'get',
    'set, of a session that was loaded',
    'set, of a session that was loaded and loses a property',
    // This store learns what time it is in Redis.
    'set, of a session that was loaded, after `touchInterval`',
    'increment',
    'bindDevice, first step of a refresh',
    'bindDevice, second step of a refresh',
    'touch, of a string',
    'set, of a string',
    "set, of a string, with convert: 'never'",
  ]) {
    for (const step of operations[name] ?? []) await step()
  }
  await makeEnding()
  await ending.get('x')
  await ending.destroy('x')
  await ending.close()
  await makeIndexed()
  await indexed.destroyBy('user', 'u-1')
  await store.destroy('x')
  await confirm()
  await old.get('/')
  monitor = await client.monitor()
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    // A client names itself, where the server lets it: Redis 7.2 and later, and Valkey.
    if (args[1]?.toUpperCase() !== 'SETINFO') seen.push(line(args, source))
  })
})
afterAll(async () => {
  monitor.disconnect()
  await redis.stop()
})

test('every documented operation is run, and every operation is documented', () => {
  expect([...documented.keys()].sort()).toEqual(Object.keys(operations).sort())
})

test.each([...documented])('"%s" runs the commands the page shows', async (name, commands) => {
  await unlessStalled(150, async () => {
    const [before, operation] = operations[name] as [() => Promise<unknown>, () => Promise<unknown>]
    await store.destroy('x')
    await before()
    await settled()
    seen = []
    await operation()
    // MONITOR of Redis before 6.2 leaves CLIENT out.
    expect(await settled()).toEqual(commands.filter((command) => isRedisSince(6, 2) || !command.startsWith('CLIENT ')))
  })
})

/** What Redis has seen by now: an echo comes back through the monitor after all that was sent before. */
async function settled(): Promise<string[]> {
  const mark = `ECHO ${Math.random()}`
  await client.echo(mark.slice(5))
  while (!seen.includes(mark)) await new Promise((resolve) => setImmediate(resolve))
  return seen.slice(0, seen.indexOf(mark))
}

const SCRIPTS = [
  BIND_DEVICE,
  CHALLENGE_DEVICE,
  PROVE_DEVICE,
  CONFIRM_DEVICE,
  CREATE,
  QUICK_SAVE,
  UPDATE,
  CONVERT,
  INCREMENT,
  RENEW,
  CONFIRM,
  IN_GRACE,
  SLIDE_STRING,
  WRITE_STRING,
  READ,
  END,
  CLAIM,
  FORGET,
]

function line(args: string[], source: string): string {
  const [command = '', ...rest] = args
  const script = SCRIPTS.find(({ sha }) => sha === rest[0])
  const queue = [SCHEDULE, UNSCHEDULE].find(({ sha }) => sha === rest[0])
  const shownOf = (all: string[]) => all.map(anonymised).join(' ')
  if (command.toUpperCase() === 'CLIENT' && rest[1] === 'ON') rest[3] = '<number>'
  if (ENTER.sha === rest[0]) return `EVALSHA enter ${shownOf(rest.slice(1))}`
  const onIndex = [REVOKE, REOPEN].find(({ sha }) => sha === rest[0])
  if (onIndex) return `EVALSHA ${onIndex.name} ${shownOf(rest.slice(1, 3))} …`
  if (PAGE.sha === rest[0]) return `EVALSHA page ${shownOf(rest.slice(1, 3))} …`
  if (queue) return `EVALSHA ${queue.name} 1 idx:sess:@ends:<n> …`
  if (script) return `EVALSHA ${script.name} 1 sess:<id> …`
  return [(source === 'lua' ? '  ' : '') + command.toUpperCase(), ...rest.map(anonymised)].join(' ')
}

function anonymised(arg: string): string {
  return arg
    .replace(/^x$/, '<id>')
    .replace(`${prefix}x`, 'sess:<id>')
    .replace(/@ends:\d$/, '@ends:<n>')
    .replace(/^destroyed \w+ \w+$/, 'destroyed')
    .replace(/@rotated:x$/, '@rotated:<id>')
    .replace(prefix, 'sess:')
    .replace(/^(\(?-?)\d{13}$/, '$1<ms>')
    .replace(/^![\w-]{12}$/, '!<token>')
    .replace(/^\w{9,11} \w+ \w+ \w+( [EK])? #\w+$/, '<bookkeeping>')
    .replace(KEY, '<key>')
    .replace(/^[\w-]{22} \w{8,9} [uc]$/, '<binding>')
    .replace(/^[\w-]{22} \w{8,9}$/, '<challenge>')
    .replace(/^1 \w+ [uc] n5c [\w-]{22}$/, '<generation>')
}

function blocks(markdown: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const [, heading = '', body = ''] of markdown.matchAll(
    /^### (.+)\n(?:(?!^###).*\n)*?```redis\n((?:.*\n)*?)```/gm,
  )) {
    found.set(heading, body.split('\n').filter(Boolean))
  }
  return found
}
