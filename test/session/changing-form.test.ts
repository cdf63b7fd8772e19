import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { type GuardedLine, guardedLineTo } from '../support/guarded-line.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'

// While one process makes strings of sessions (the way back to connect-redis), others make hashes of them. So the key of
// a session may change its form between any two commands of a request. Here it does, in every pattern of four commands.

const COMMANDS = 4
const SID = 'sid'
const EXPIRY = 3_600_000
const cookie = { originalMaxAge: EXPIRY }
const prefix = freshPrefix()
const key = `${prefix}${SID}`
const client = connect()
let line: GuardedLine
let own: Redis
let converter: RedisStore
/** For each command to come: whether the key changes its form just before it. */
let changes: boolean[] = []

beforeAll(async () => {
  converter = new RedisStore({ client, prefix })
  line = await guardedLineTo(socketPath(), {
    admit: (args) => (args.some((arg) => arg.includes(prefix)) && changes.shift() ? changeForm() : undefined),
  })
  own = new Redis(line.path)
})
afterAll(async () => {
  own.disconnect()
  client.disconnect()
  await line.close()
})

async function changeForm(): Promise<void> {
  if ((await client.type(key)) === 'string') {
    await converter.patch(SID, {})
    return
  }
  const fields = Object.entries(await client.hgetall(key)).filter(([field]) => !field.startsWith('@'))
  const content = Object.fromEntries(fields.map(([field, text]) => [field, JSON.parse(text)]))
  await client.set(key, JSON.stringify({ cookie, ...content }), 'PX', EXPIRY)
}

const PATTERNS = Array.from({ length: 2 ** COMMANDS }, (_, pattern) =>
  Array.from({ length: COMMANDS }, (_, i) => ((pattern >> i) & 1) === 1),
)

type Content = Record<string, unknown>
type Work = (store: RedisStore, loaded: Content) => Promise<unknown>

interface Outcome {
  resolved: unknown
  after: Content | null
  corrupt: number
}

/**
 * Runs `work` under each pattern, on a session with `{ n: 1, other: 'kept' }`, and returns the outcomes that differ. A
 * store that must not convert has to leave the form as the others have made it last.
 */
async function outcomes(form: string, options: Partial<RedisStoreOptions>, work: Work): Promise<Outcome[]> {
  const found = new Map<string, Outcome>()
  for (const pattern of PATTERNS) {
    await client.del(key)
    await converter.set(SID, { n: 1, other: 'kept', cookie } as never)
    if (form === 'string') await changeForm()
    const store = new RedisStore({ client: own, prefix, timeout: 10_000, touchInterval: 0, ...options })
    const loaded = (await store.get(SID)) as unknown as Content
    const before = await client.type(key)
    changes = [...pattern]
    const resolved = await work(store, loaded)
    const made = pattern.slice(0, COMMANDS - changes.length).filter(Boolean).length
    changes = []
    if (options.convert === 'never') {
      const expected = made % 2 === 0 ? before : before === 'hash' ? 'string' : 'hash'
      expect(['none', expected]).toContain(await client.type(key))
    }
    const after = (await converter.get(SID)) as Content | null
    if (after) delete after.cookie
    const outcome = { resolved, after, corrupt: store.counters.corrupt }
    found.set(JSON.stringify(outcome), outcome)
    await store.close()
  }
  return [...found.values()]
}

const kept = { n: 1, other: 'kept' }

describe.each<[string, Partial<RedisStoreOptions>]>([
  ['hash', {}],
  ['string', {}],
  ['hash', { convert: 'never' }],
  ['string', { convert: 'never' }],
])('the key of a session is a %s, and changes its form between commands, with %j', (form, options) => {
  test.each<[string, unknown, Work]>([
    ['get', 1, async (store) => (await store.get(SID))?.n],
    ['read', 1, async (store) => (await store.read(SID, ['n']))?.n],
    ['getPath', 1, (store) => store.getPath(SID, ['n'])],
    ['exists', true, (store) => store.exists(SID)],
    ['info', true, async (store) => (await store.info(SID)) !== null],
    ['touch', undefined, (store, loaded) => store.touch(SID, loaded as never)],
  ])('%s finds it', async (_name, resolved, work) => {
    expect(await outcomes(form, options, work)).toEqual([{ resolved, after: kept, corrupt: 0 }])
  })

  test.each<[string, unknown, number, Work]>([
    ['increment', 3, 3, (store) => store.increment(SID, 'n', 2)],
    ['patch', true, 3, (store) => store.patch(SID, { n: 3 })],
    ['setPath', true, 3, (store) => store.setPath(SID, ['n'], 3)],
    ['set', undefined, 3, (store, loaded) => store.set(SID, Object.assign(loaded, { n: 3 }) as never)],
  ])('%s writes', async (_name, resolved, n, work) => {
    expect(await outcomes(form, options, work)).toEqual([{ resolved, after: { ...kept, n }, corrupt: 0 }])
  })

  test('destroy ends it', async () => {
    const found = await outcomes(form, options, (store) => store.destroy(SID))
    expect(found).toEqual([{ resolved: undefined, after: null, corrupt: 0 }])
  })
})

test.each<[string, Work]>([
  ['increment', (store) => store.increment(SID, 'n', 2)],
  ['patch', (store) => store.patch(SID, { n: 3 })],
  ['setPath', (store) => store.setPath(SID, ['n'], 3)],
])('%s of a string that stays one is announced once', async (_name, work) => {
  await client.set(key, JSON.stringify({ cookie, ...kept }), 'PX', EXPIRY)
  const store = new RedisStore({ client: own, prefix, convert: 'never' })
  await work(store, {})
  expect(JSON.parse((await client.get(key)) as string)).toMatchObject({ ...kept, n: 3 })
  expect(store.counters.saved).toBe(1)
  await store.close()
})
