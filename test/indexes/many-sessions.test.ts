import { RedisStore, type RedisStoreOptions, type SessionContent, type SessionInfo } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { END } from '../../src/redis/scripts/end.js'
import { watchCommands } from '../support/commands.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { makeMany, watchQueue } from '../support/many-sessions.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'
import { topology } from '../support/topology.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const indexes = { user: (held: SessionContent) => held.userId }
const storeWith = (options: Partial<RedisStoreOptions> = {}) =>
  new RedisStore({ client, prefix, indexes, timeout: 30_000, ...options })
const store = storeWith()
/** No more commands of a batch, and of what follows it, are under way at a time. */
const A_BATCH = 150

afterEach(async () => {
  for (let batch = ['']; batch.length > 0; ) {
    batch = await client.keys(`*${prefix}*`)
    for (let at = 0; at < batch.length; at += 1000) await client.del(batch.slice(at, at + 1000))
  }
})
afterAll(() => client.quit())

const make = (sid: string, userId = 'ada') => store.set(sid, { cookie, userId } as never)
const handleOf = async (sid: string) => (await store.info(sid))?.handle as string
const handlesOf = (infos: readonly SessionInfo[]) => infos.map(({ handle }) => handle)

/** Reads all sessions, page by page. */
async function pages(of: RedisStore, limit: number, cursor: (info: SessionInfo) => SessionInfo | string) {
  const found: string[][] = []
  let after: SessionInfo | string | undefined
  for (;;) {
    const page = await of.findBy('user', 'ada', { limit, after })
    if (page.length === 0) return found
    found.push(handlesOf(page))
    after = cursor(page.at(-1) as SessionInfo)
  }
}

describe('pages of findBy', () => {
  test.each([
    ['the last session', (info: SessionInfo) => info],
    ['its handle', ({ handle }: SessionInfo) => handle],
    ['a copy of it', (info: SessionInfo) => JSON.parse(JSON.stringify(info)) as SessionInfo],
  ])('behind %s have every session once, newest first', async (_name, cursor) => {
    await makeMany(client, prefix, 'ada', 130)
    const newest = await Promise.all(Array.from({ length: 130 }, (_, i) => handleOf(`many${129 - i}`)))
    const found = await pages(store, 60, cursor)
    expect(found.map((page) => page.length)).toEqual([60, 60, 10])
    expect(found.flat()).toEqual(newest)
  })

  test.each([7, 30, 100])('of %i, without TTLs, where all end at the same time: every session once', async (limit) => {
    await makeMany(client, prefix, 'ada', 90, true)
    const all = await Promise.all(Array.from({ length: 90 }, (_, i) => handleOf(`many${i}`)))
    const found = await pages(storeWith({ disableTTL: true }), limit, (info) => info)
    expect(found.flat().toSorted()).toEqual(all.toSorted())
  })

  test('go on where they were, though the last session has gone, or been used, and others have come', async () => {
    await makeMany(client, prefix, 'ada', 40)
    const first = await store.findBy('user', 'ada', { limit: 10 })
    const second = await store.findBy('user', 'ada', { limit: 10, after: first.at(-1) })
    expect([first.at(-1)?.handle, second.at(-1)?.handle]).toEqual([await handleOf('many30'), await handleOf('many20')])
    await store.destroy('many30')
    await client.zadd(`idx:${prefix}user:ada`, Date.now() + 100_000_000, 'many20')
    await make('new')
    expect(handlesOf(await store.findBy('user', 'ada', { limit: 10, after: first.at(-1) })).slice(0, 9)).toEqual(
      handlesOf(second).slice(0, 9),
    )
    const third = await store.findBy('user', 'ada', { limit: 3, after: second.at(-1) })
    expect(handlesOf(third)).toEqual(await Promise.all(['many19', 'many18', 'many17'].map(handleOf)))
  })

  test('are full though the index names sessions that are gone', async () => {
    await makeMany(client, prefix, 'ada', 40)
    await client.del(Array.from({ length: 15 }, (_, i) => `${prefix}many${39 - i}`))
    expect(handlesOf(await store.findBy('user', 'ada', { limit: 2 }))).toEqual([
      await handleOf('many24'),
      await handleOf('many23'),
    ])
  })

  test('behind all sessions, where one page has all of them, are empty', async () => {
    await makeMany(client, prefix, 'ada', 3)
    for (const last of await store.findBy('user', 'ada')) {
      expect(await store.findBy('user', 'ada', { after: last })).toEqual([])
    }
  })

  test('behind a handle of nobody’s are a TypeError that says what to do', async () => {
    await makeMany(client, prefix, 'ada', 1)
    await make('bobs', 'bob')
    for (const after of ['x'.repeat(22), await handleOf('bobs'), { handle: 'gone' } as SessionInfo]) {
      await expect(store.findBy('user', 'ada', { after })).rejects.toThrow(
        /^"after" option names no session.*first page/,
      )
    }
  })

  test.each<[unknown, RegExp]>([
    [{ limt: 1 }, /^findBy has no option "limt"/],
    [{ limit: 0 }, /^"limit" option must be a whole number/],
    [{ limit: 1.5 }, /^"limit" option/],
    [{ limit: '10' }, /^"limit" option/],
    [{ limit: Number.POSITIVE_INFINITY }, /^"limit" option/],
    [{ after: 7 }, /^"after" option must be the last session/],
    [{ after: null }, /^"after" option/],
    [{ after: {} }, /^"after" option/],
    [10, /^findBy takes an options object/],
  ])('with %j are refused', async (options, message) => {
    await expect(store.findBy('user', 'ada', options as never)).rejects.toThrow(message)
  })
})

describe('of 20,000 sessions of one user', () => {
  beforeEach(() => makeMany(client, prefix, 'ada', 20_000))

  test('findBy looks at a hundred, and countBy at none', async () => {
    const log = await watchCommands(client, prefix)
    expect(await store.findBy('user', 'ada')).toHaveLength(100)
    const names = (await log.take()).map(([name]) => name)
    expect([names.length, names.filter((name) => name === 'hmget').length]).toEqual([101, 100])
    expect(await store.countBy('user', 'ada')).toBe(20_000)
    expect((await log.take()).map(([name]) => name)).toEqual(['zcount'])
    log.stop()
  })

  test('destroyBy ends all, a batch at a time', async () => {
    const watch = watchQueue(client)
    expect(await store.destroyBy('user', 'ada')).toBe(20_000)
    expect(watch.stop()).toBeLessThanOrEqual(A_BATCH)
    expect(await client.exists(`idx:${prefix}user:ada`)).toBe(0)
  })

  test('a new limit ends all but the newest, a batch at a time, where there is time', async () => {
    const limited = storeWith({ timeout: 120_000, limit: { index: 'user', max: 3, onExceed: 'evict' } })
    const watch = watchQueue(client)
    await limited.set('new', { cookie, userId: 'ada' } as never)
    expect(watch.stop()).toBeLessThanOrEqual(A_BATCH)
    const left = (await client.zrange(`idx:${prefix}user:ada`, '0', '-1')).toSorted()
    expect(left).toEqual(['many19998', 'many19999', 'new'])
    expect(await client.exists(...left.map((sid) => prefix + sid))).toBe(3)
    expect(limited.counters.evicted).toBe(19_998)
  })

  // A line leads to one server.
  const testOnOne = topology.nodes === undefined ? test : test.skip
  testOnOne('a new limit lets a login through that has no time to end them all; the next one goes on', async () => {
    let ends = 0
    let isHeld = false
    const timeout = 4000
    const line = await guardedLineTo(socketPath(), {
      admit(args) {
        if (args.includes(END.sha) || args.includes(END.lua)) ends += 1
        if (ends < 300 || isHeld) return undefined
        isHeld = true
        return new Promise((resolve) => setTimeout(resolve, timeout / 2))
      },
    })
    const far = new Redis(line.path)
    const limited = storeWith({ client: far, timeout, limit: { index: 'user', max: 3, onExceed: 'evict' } })
    await limited.set('new', { cookie, userId: 'ada' } as never)
    const left = await store.countBy('user', 'ada')
    expect(limited.counters.evicted).toBeGreaterThanOrEqual(200)
    expect(left).toBe(20_001 - limited.counters.evicted)
    expect(left).toBeGreaterThan(10_000)
    expect(await store.exists('new')).toBe(true)
    far.disconnect()
    await line.close()
    const patient = storeWith({ timeout: 120_000, limit: { index: 'user', max: 3, onExceed: 'evict' } })
    await patient.set('next', { cookie, userId: 'ada' } as never)
    expect(await store.countBy('user', 'ada')).toBe(3)
  })

  test('a limit that rejects looks at no more of them than it needs', async () => {
    const limited = storeWith({ limit: { index: 'user', max: 3, onExceed: 'reject' } })
    const log = await watchCommands(client, prefix)
    await expect(limited.set('new', { cookie, userId: 'ada' } as never)).rejects.toMatchObject({
      code: 'ERR_SESSION_LIMIT',
    })
    const names = (await log.take()).map(([name]) => name)
    log.stop()
    expect(names.filter((name) => name === 'hmget').length).toBeLessThanOrEqual(50)
  })
})
