import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { idMapper } from '../../src/ids/id-mapper.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'

// A process dies while it moves a session to another `hashIds`, at any step. Some servers look under the old id first,
// others under the new one: they must agree on one session.

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any
type Options = Partial<RedisStoreOptions>

afterEach(clean)
afterAll(() => client.quit())

async function clean(): Promise<void> {
  await client.del('none', ...(await client.keys(`*${prefix}*`)))
}

const storeOf = (options: Options, own: Redis = client) =>
  new RedisStore({ client: own, prefix, touchInterval: 0, timeout: 10_000, ...options })

const load = async (store: RedisStore) => (await store.get('s')) as Bag

/** Runs `work` in a process of its own, as far as Redis can tell; it dies before it sends its command number `most`. */
async function dying(options: Options, most: number, work: (store: RedisStore) => Promise<unknown>): Promise<boolean> {
  let sent = 0
  let hasDied = false
  const line = await guardedLineTo(socketPath(), {
    admit(args) {
      if (!args.some((arg) => arg.includes(prefix))) return undefined
      if (sent++ < most) return undefined
      hasDied = true
      own.disconnect()
      return new Promise(() => {})
    },
  })
  const own = new Redis(line.path, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  own.on('error', () => {})
  const store = storeOf(options, own)
  await work(store).catch((err) => {
    if (!hasDied) throw err
  })
  await store.close()
  own.disconnect()
  await line.close()
  return hasDied
}

/** Makes moves look a minute old: such sessions may move again. */
async function aMinutePasses(): Promise<void> {
  for (const key of await client.keys(`${prefix}*`))
    if (await client.hexists(key, '@moved')) await client.hset(key, '@moved', '0')
}

const save = async (store: RedisStore, changes: object) => store.set('s', Object.assign(await load(store), changes))

const between: [string, Options, Options][] = [
  ['two secrets, the new one first and the old one first', { hashIds: ['new', 'old'] }, { hashIds: ['old', 'new'] }],
  ['three secrets in two orders', { hashIds: ['new', 'old', true] }, { hashIds: [true, 'old', 'new'] }],
]

describe.each(between)('%s', (_what, ahead, behind) => {
  const stores = [storeOf(ahead), storeOf(behind)] as const

  async function expectAll(expected: object | null): Promise<void> {
    for (const store of stores) {
      const wanted = expected === null ? null : { cookie, ...expected }
      expect(await load(store)).toEqual(wanted)
      expect(await store.read('s', ['n', 'user'])).toEqual(expected === null ? null : expect.objectContaining(expected))
      expect(await store.exists('s')).toBe(expected !== null)
    }
  }

  test.each([
    ['ahead', 0, 1],
    ['behind', 1, 0],
  ] as const)(
    'a mover of those %s that dies at any command: all read what is saved last, whoever saves it',
    async (_who, mover, other) => {
      const moving = [ahead, behind][mover] as Options
      for (let most = 0, hasDied = true; hasDied; most++) {
        for (const saver of [mover, other]) {
          for (const isLater of [false, true]) {
            await clean()
            await stores[other]?.set('s', { cookie, user: 'ada', n: 1 } as never)
            hasDied = await dying(moving, most, (store) => save(store, { n: 2 }))
            const { n } = await load(stores[0])
            await expectAll({ user: 'ada', n })
            if (isLater) await aMinutePasses()
            await save(stores[saver], { user: 'bob', n: 3 })
            await expectAll({ user: 'bob', n: 3 })
            expect(await stores[0].all()).toHaveLength(1)
            if (isLater) await aMinutePasses()
            expect(await stores[1 - saver]?.increment('s', 'n')).toBe(4)
            await expectAll({ user: 'bob', n: 4 })
            await stores[saver].destroy('s')
            await expectAll(null)
          }
        }
      }
    },
  )

  test.each(['ahead', 'behind'] as const)(
    'an end by those %s that dies at any command gives nobody an older session',
    async (who) => {
      const [ending, moving] = who === 'ahead' ? [ahead, behind] : [behind, ahead]
      let moves = 0
      for (let hasMoved = false; !hasMoved; moves++) {
        for (let most = 0, hasDied = true; hasDied; most++) {
          await clean()
          await storeOf(ending).set('s', { cookie, user: 'ada', n: 1 } as never)
          hasMoved = !(await dying(moving, moves, (store) => save(store, { n: 2 })))
          await save(stores[0], { user: 'bob', n: 3 })
          hasDied = await dying(ending, most, (store) => store.destroy('s'))
          const left = await load(stores[0])
          if (!hasDied) expect(left).toBeNull()
          await expectAll(left === null ? null : { user: 'bob', n: 3 })
        }
      }
    },
  )

  test('any number of deaths, reads and saves in any order: no confirmed save is lost, and nothing that has ended is back', async () => {
    const step = fc.record({
      by: fc.constantFrom(0, 1),
      what: fc.constantFrom('save', 'save', 'patch', 'increment', 'touch', 'minute', 'destroy'),
      most: fc.oneof(fc.constant(99), fc.nat(9)),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        await clean()
        let held: { user: string; n: number } | null = { user: 'ada', n: 0 }
        await stores[1].set('s', { cookie, ...held } as never)
        for (const { by, what, most } of steps) {
          if (what === 'minute') await aMinutePasses()
          if (what === 'minute' || held === null) continue
          const n: number = held.n + 1
          const works: Record<string, (store: RedisStore) => Promise<unknown>> = {
            save: (store) => save(store, { n }),
            patch: (store) => store.patch('s', { n }),
            increment: (store) => store.increment('s', 'n'),
            touch: async (store) => store.touch('s', await load(store)),
            destroy: (store) => store.destroy('s'),
          }
          const hasDied = await dying([ahead, behind][by] as Options, most, works[what] as never)
          const after = what === 'destroy' ? null : what === 'touch' ? held : { ...held, n }
          // The outcome of the work that was under way is open, but all stores must agree on it.
          const found: Bag = hasDied ? await load(stores[0]) : after
          const outcome = found === null ? null : { user: found.user, n: found.n }
          expect([held, after]).toContainEqual(outcome)
          held = outcome
          await expectAll(held)
        }
      }),
      { numRuns: 60 },
    )
  })
})

// Some servers do not know every id: they have not been told of the new secret yet, or not of the old one any more.
// They have a session as long as it is under an id they know.

interface Held {
  user: string
  n: number
}

const indexes = { user: (held: object) => (held as Bag).user }
const idsOf = (options: Options) => idMapper(options.hashIds ?? false, options.acceptPlainIds).candidates('s')

const fleets: [string, Options[]][] = [
  [
    'two secrets in both orders, and each alone',
    [{ hashIds: ['new', 'old'] }, { hashIds: ['old', 'new'] }, { hashIds: 'new' }, { hashIds: 'old' }],
  ],
  [
    'from plain ids to hashed ones, and back',
    [
      { hashIds: ['new', 'old'], acceptPlainIds: true },
      { hashIds: 'new', acceptPlainIds: true },
      { hashIds: 'old', acceptPlainIds: true },
      { hashIds: 'new' },
      { hashIds: false },
    ],
  ],
]

const flagsAt = async (key: string) => ((await client.hget(key, '@')) ?? '').split(' ').slice(4).join('')

/**
 * The stored id under which the session is, as far as Redis can tell; null if there is none. It must not be under two.
 */
async function place(): Promise<string | null> {
  const found: string[] = []
  for (const key of await client.keys(`${prefix}*`)) {
    const flags = await flagsAt(key)
    const storedId = key.slice(prefix.length)
    if (!/[YZ]/.test(flags)) found.push(storedId)
    if (!flags.includes('Z')) continue
    const [to, token] = await client.hmget(key, '@to', '@move')
    const copy = prefix + to
    if ((await flagsAt(copy)).includes('Y') && (await client.hget(copy, '@move')) === token) found.push(String(to))
  }
  expect(found.length).toBeLessThanOrEqual(1)
  return found[0] ?? null
}

/** Expects that whatever an ended session, or a mover that died, has left in Redis goes away by itself. */
async function expectTtls(): Promise<void> {
  for (const key of await client.keys(`*${prefix}*`)) expect(await client.pttl(key)).toBeGreaterThan(0)
}

describe.each(fleets)('%s', (_what, servers) => {
  const stores = servers.map((options) => storeOf({ ...options, indexes }))
  const all = stores.map((_, i) => i)
  const has = (server: number, at: string | null) => at !== null && idsOf(servers[server] as Options).includes(at)

  /** Expects that the first server to look finds the same as the last one. */
  async function expectEverywhere(held: object | null, first = 0): Promise<void> {
    const at = await place()
    expect(at === null).toBe(held === null)
    for (const i of [...all.slice(first), ...all.slice(0, first)]) {
      const store = stores[i] as RedisStore
      const wanted = has(i, at) ? held : null
      expect(await load(store)).toEqual(wanted && { cookie, ...wanted })
      expect(await store.exists('s')).toBe(wanted !== null)
      // A server without hashed ids does not ask for sessions that are moving to them.
      if (servers[i]?.hashIds !== false) expect(await store.ids()).toEqual(at === null ? [] : [at])
      expect(await store.findBy('user', 'ada')).toHaveLength(at === null ? 0 : 1)
    }
    expect(await stores[0]?.length()).toBe(at === null ? 0 : 1)
    await expectTtls()
  }

  /** What a server finds that knows where the session is. */
  async function found(): Promise<Bag> {
    const at = await place()
    const session = at && (await load(stores[all.findIndex((i) => has(i, at))] as RedisStore))
    return session && { user: session.user, n: session.n }
  }

  const endings: Record<string, (store: RedisStore) => Promise<unknown>> = {
    destroy: (store) => store.destroy('s'),
    destroyBy: (store) => store.destroyBy('user', 'ada'),
  }
  const movers = all.filter((i) => idsOf(servers[i] as Options).length > 1)

  test.each(Object.keys(endings))(
    'a mover that dies at any command, and whoever reads next and ends the session by %s: nobody has it any more',
    async (how) => {
      for (const mover of movers) {
        const from = idsOf(servers[mover] as Options).at(-1) as string
        const maker = all.findLast((i) => idsOf(servers[i] as Options)[0] === from) as number
        for (let most = 0, hasDied = true; hasDied; most++) {
          for (const ender of all) {
            await clean()
            await stores[maker]?.set('s', { cookie, user: 'ada', n: 1 } as never)
            hasDied = await dying({ ...servers[mover], indexes }, most, (store) => save(store, { n: 2 }))
            const at = await place()
            if ((most + ender) % 2) await expectEverywhere(await found(), ender)
            await endings[how]?.(stores[ender] as RedisStore)
            if (how === 'destroyBy' || has(ender, at)) await expectEverywhere(null, mover)
          }
        }
      }
    },
    300_000,
  )

  test('a mover that dies at any command, and a destroyBy that dies at any command: the index still names what is left, and the next one ends it', async () => {
    for (const mover of movers) {
      const from = idsOf(servers[mover] as Options).at(-1) as string
      const maker = all.findLast((i) => idsOf(servers[i] as Options)[0] === from) as number
      for (let moves = 0, hasMoved = false; !hasMoved; moves++) {
        for (let most = 0, hasDied = true; hasDied; most++) {
          await clean()
          await stores[maker]?.set('s', { cookie, user: 'ada', n: 1 } as never)
          hasMoved = !(await dying({ ...servers[mover], indexes }, moves, (store) => save(store, { n: 2 })))
          hasDied = await dying({ ...servers[mover], indexes }, most, (store) => store.destroyBy('user', 'ada'))
          await expectEverywhere(await found(), mover)
          await stores[mover]?.destroyBy('user', 'ada')
          await expectEverywhere(null, mover)
        }
      }
    }
  }, 300_000)

  test('any number of deaths, reads, saves and ends in any order: what has ended is nowhere, and the last save is everywhere', async () => {
    const step = fc.record({
      by: fc.constantFrom(...all),
      first: fc.constantFrom(...all),
      what: fc.constantFrom(
        'save',
        'save',
        'save',
        'patch',
        'increment',
        'touch',
        'minute',
        'minute',
        ...Object.keys(endings),
      ),
      most: fc.oneof(fc.constant(99), fc.nat(16)),
      isSeen: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...all),
        fc.array(step, { minLength: 4, maxLength: 12 }),
        async (maker, steps) => {
          await clean()
          let held: Held | null = { user: 'ada', n: 0 }
          let isBeingEnded = false
          await stores[maker]?.set('s', { cookie, ...held } as never)
          for (const { by, first, what, most, isSeen } of steps) {
            if (held === null) break
            if (what === 'minute') await aMinutePasses()
            const n: number = held.n + 1
            const works: Record<string, (store: RedisStore) => Promise<unknown>> = {
              save: (store) => save(store, { n }),
              patch: (store) => store.patch('s', { n }),
              increment: (store) => store.increment('s', 'n'),
              touch: async (store) => store.touch('s', await load(store)),
              ...endings,
            }
            const work = works[what]
            if (work === undefined || !(what === 'destroyBy' || has(by, await place()))) continue
            const hasDied = await dying({ ...servers[by], indexes }, most, work)
            const after: Held | null = what in endings ? null : what === 'touch' ? held : { ...held, n }
            // The outcome of the work that was under way is open, but all stores must agree on it. While all sessions
            // of a user are being ended, a move ends the session; a destroyBy that died counts as under way for a while
            // longer.
            if (!hasDied && !isBeingEnded) held = after
            else {
              const outcome = await found()
              expect([hasDied ? held : after, after, isBeingEnded ? null : after]).toContainEqual(outcome)
              held = outcome
            }
            isBeingEnded ||= hasDied && what === 'destroyBy'
            if (isSeen) await expectEverywhere(held, first)
          }
          await expectEverywhere(held)
        },
      ),
      { numRuns: 40 },
    )
  }, 300_000)
})
