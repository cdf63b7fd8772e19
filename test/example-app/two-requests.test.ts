import { RedisStore as ConnectRedis } from 'connect-redis10'
import { createClient } from 'redis'
import supertest from 'supertest'
import { createApp } from '../../example-app/app.js'
import { connectRedisStore } from '../../example-app/experiments/connect-redis.js'
import { EXPERIMENT_LIST, Experiments, type Outcome } from '../../example-app/experiments/experiments.js'
import { EXPERIMENTS } from '../../example-app/redis-commands/key-kinds.js'
import { watchCommands } from '../../example-app/redis-commands/watch-commands.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { freshPrefix } from '../support/redis.js'
import { openShop } from './shop.js'
import { Visitor } from './visitor.js'

/** This machine may be busy. */
const PATIENT_MS = 200_000
const shop = openShop({ experimentSeconds: PATIENT_MS / 1000 })
const experiments = new Experiments(shop.client, shop.namespace + EXPERIMENTS, PATIENT_MS)
watchCommands(shop.client)
const SLUGS = EXPERIMENT_LIST.map(({ slug }) => slug)

afterAll(() => shop.close())

async function run(slug: string): Promise<{ theirs: Outcome; ours: Outcome }> {
  return experiments.run(EXPERIMENT_LIST.find((experiment) => experiment.slug === slug)!)
}

/** What the experiment says happened: who, and the words. */
const told = ({ steps }: Outcome) => steps.map(({ who, text }) => `${who} ${text}`)
/** The properties of the session that is left in Redis. */
function left({ remains }: Outcome): Record<string, string> {
  const session = remains.find(({ kind }) => kind === 'session')
  return Object.fromEntries((session?.properties ?? []).map(({ name, value }) => [name, value]))
}
/** The step after which the store of this experiment wrote, and the commands. */
const commandsOf = ({ steps }: Outcome, words: string) =>
  steps.find(({ text }) => text.includes(words))?.commands.join(' ')

describe('a lost update', () => {
  test('loses the change of the request in between with connect-redis, and neither with this package', async () => {
    const { theirs, ours } = await run('lost-update')
    expect([theirs.isRight, ours.isRight]).toEqual([false, true])
    expect(left(theirs)).toEqual({ theme: '"dark"', language: '"en"' })
    expect(left(ours)).toEqual({ theme: '"dark"', language: '"fr"' })
  })

  test('happens in the order in which it is told, and is the work of the commands that are shown', async () => {
    const { theirs, ours } = await run('lost-update')
    const before = [
      'visitor sets language to "en", and saves',
      'A arrives, and reads the session',
      'B arrives, and reads the session',
      'B sets language to "fr", and saves',
      'A sets theme to "dark", and saves',
    ]
    expect(told(theirs)).toEqual([...before, 'visitor sees language "en", theme "dark"'])
    expect(told(ours)).toEqual([...before, 'visitor sees language "fr", theme "dark"'])
    expect(commandsOf(theirs, 'theme to "dark"')).toBe('SET')
    expect(commandsOf(ours, 'theme to "dark"')).toMatch(/^EVALSHA(?!.*\bSET\b)/)
    expect(theirs.remains[0]).toMatchObject({ type: 'string', bookkeeping: ['cookie'] })
    expect(ours.remains[0]).toMatchObject({ type: 'hash', bookkeeping: expect.arrayContaining(['@', '@ua']) })
    for (const { remains } of [theirs, ours]) expect(remains[0]?.ttl).toBeGreaterThan(30)
  })
})

describe('a resurrected logout', () => {
  test('leaves the user logged in with connect-redis, and logged out with this package', async () => {
    const { theirs, ours } = await run('resurrected-logout')
    expect([theirs.isRight, ours.isRight]).toEqual([false, true])
    expect(left(theirs)).toEqual({ userId: expect.stringMatching(/^"\d{4}"$/), lastPage: '"report"' })
    expect(ours.remains).toEqual([])
    expect(commandsOf(theirs, 'is the logout')).toBe('DEL')
    expect(told(theirs).at(-1)).toMatch(/^visitor sees the account of user \d{4}$/)
    expect(told(ours).at(-1)).toMatch(/^visitor sees nobody logged in/)
  })
})

describe('a merged cart', () => {
  test('lacks the tea of the request in between with connect-redis, and none with this package', async () => {
    const { theirs, ours } = await run('merged-cart')
    expect([theirs.isRight, ours.isRight]).toEqual([false, true])
    expect(JSON.parse(left(theirs).cart!)).toEqual({ oolong: 1, chai: 1 })
    expect(JSON.parse(left(ours).cart!)).toEqual({ oolong: 1, chai: 1, sencha: 1 })
  })
})

describe('a redirect before the save', () => {
  test('finds nobody logged in with connect-redis, and the user with this package', async () => {
    const { theirs, ours } = await run('early-redirect')
    expect([theirs.isRight, ours.isRight]).toEqual([false, true])
    expect(told(theirs)).toContain('B sees nobody logged in: "Please log in"')
    // Which is what makes it so hard to find.
    expect(told(theirs).at(-1)).toMatch(/^visitor sees the account of user \d{4}$/)
    expect(told(ours)).toContain('visitor has not had a byte of the response, and waits')
    expect(told(ours).at(-1)).toMatch(/^B sees the account of user \d{4}$/)
  })
})

describe('the page', () => {
  test('is linked from the shop, explains every experiment, and begins no session', async () => {
    const before = await shop.keys('*')
    expect((await supertest(shop.app).get('/')).text).toContain('href="/two-requests"')
    const { text, headers } = await supertest(shop.app).get('/two-requests')
    for (const { title, bug } of EXPERIMENT_LIST) for (const words of [title, bug]) expect(text).toContain(words)
    expect(text).not.toContain('Wrong.')
    expect(headers['set-cookie']).toBeUndefined()
    expect(await shop.keys('*')).toEqual(before)
  })

  test.each(SLUGS)('shows %s wrong at the left, right at the right, and no key, cookie or id', async (slug) => {
    const { status, text } = await supertest(shop.app).post(`/two-requests/${slug}`)
    expect(status).toBe(200)
    const [, theirs = '', ours = ''] = text.split('<article class="side ')
    for (const words of ['side-wrong', '<strong>Wrong.</strong>', '>connect-redis 10<']) expect(theirs).toContain(words)
    for (const words of ['side-right', '<strong>Right.</strong>', '>connect-redis-hash<']) expect(ours).toContain(words)
    expect(theirs).toContain('string of JSON')
    // Ids of both have 32 characters or more.
    expect(text.replaceAll(/(href|src|d)="[^"]*"/g, '')).not.toMatch(/[\w-]{30}/)
    expect(text).not.toContain(EXPERIMENTS)
  })

  test('runs all four at once, for a visitor with a session of their own, which stays as it is', async () => {
    const visitor = new Visitor(shop.app)
    await visitor.addTea('chai')
    await visitor.get('/cart')
    const { '@': _times, ...before } = await shop.sessionOf(visitor)
    const { text } = await visitor.post('/two-requests/all', {})
    expect(text.match(/<strong>Wrong/g)).toHaveLength(4)
    expect(text.match(/<strong>Right/g)).toHaveLength(4)
    expect(await shop.sessionOf(visitor)).toMatchObject(before)
  })

  test('gives twenty visitors at once what it gives one, and leaves nothing in Redis', async () => {
    const visits = Array.from({ length: 20 }, (_, i) =>
      supertest(shop.app).post(`/two-requests/${SLUGS[i % SLUGS.length]}`),
    )
    for (const { status, text } of await Promise.all(visits)) {
      expect([status, text.match(/<strong>(Wrong|Right)/g)]).toEqual([200, ['<strong>Wrong', '<strong>Right']])
    }
    expect(await shop.keys(`${EXPERIMENTS}*`)).toEqual([])
    expect(await shop.client.keys(`idx:${shop.namespace}${EXPERIMENTS}*`)).toEqual([])
  })

  test('knows no other experiment, and leads whoever reloads a result to the page', async () => {
    expect((await supertest(shop.app).post('/two-requests/nothing')).status).toBe(404)
    expect((await supertest(shop.app).get('/two-requests/lost-update')).headers.location).toBe('/two-requests')
  })
})

describe('without Redis', () => {
  let redis: PrivateRedis
  let log: jest.SpyInstance

  beforeAll(async () => {
    redis = await privateRedis()
    log = jest.spyOn(console, 'error').mockImplementation(() => {})
  })
  afterAll(async () => {
    log.mockRestore()
    await redis.stop()
  })

  test('every experiment says so, and tells no key', async () => {
    const gone = redis.connect({ retryStrategy: () => null, maxRetriesPerRequest: 0 })
    gone.disconnect()
    const app = createApp({ client: gone, secret: shop.secret, namespace: shop.namespace })
    for (const slug of ['all', ...SLUGS]) {
      const { status, headers, text } = await supertest(app).post(`/two-requests/${slug}`)
      expect([status, headers['retry-after']]).toEqual([503, '5'])
      expect(text).toContain('Redis has not answered')
    }
    expect(log.mock.calls.join()).not.toContain(EXPERIMENTS)
  })

  test('that stops answering in the middle, an experiment ends all the same', async () => {
    const client = redis.connect()
    watchCommands(client)
    const hasty = new Experiments(client, freshPrefix(), 500)
    const experiment = EXPERIMENT_LIST[0]!
    const middle = {
      ...experiment,
      run: (stage: Parameters<typeof experiment.run>[0]) => {
        process.kill(redis.pid, 'SIGSTOP')
        return experiment.run(stage)
      },
    }
    try {
      await expect(hasty.run(middle)).rejects.toThrow()
    } finally {
      process.kill(redis.pid, 'SIGCONT')
    }
    // What it could not remove ends by itself.
    for (const key of await redis.admin.keys('*')) expect(await redis.admin.ttl(key)).toBeGreaterThanOrEqual(0)
    // It works again as soon as Redis does.
    await expect(new Experiments(client, freshPrefix(), PATIENT_MS).run(experiment)).resolves.toMatchObject({
      theirs: { isRight: false },
      ours: { isRight: true },
    })
  })

  test('an experiment in which nothing happens any more ends, too', async () => {
    const client = redis.connect()
    const hasty = new Experiments(client, freshPrefix(), 100)
    await expect(hasty.run({ ...EXPERIMENT_LIST[0]!, run: () => new Promise(() => undefined) })).rejects.toThrow(
      'Redis has not answered in time',
    )
  })

  test('too many at once are asked to come again', async () => {
    const client = redis.connect()
    watchCommands(client)
    const crowded = new Experiments(client, freshPrefix(), PATIENT_MS)
    const all = Array.from({ length: 101 }, () => crowded.run({ ...EXPERIMENT_LIST[0]!, run: async () => VERDICT }))
    const results = await Promise.allSettled(all)
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    await expect(crowded.run(EXPERIMENT_LIST[0]!)).resolves.toBeDefined()
  })
})

const VERDICT = { isRight: true, text: '' }

test('connect-redis writes on this client what it writes on one of node-redis', async () => {
  const redis = await privateRedis()
  const nodeRedis = createClient({ url: `unix://${redis.socketPath}` })
  await nodeRedis.connect()
  const session = { cookie: { originalMaxAge: null }, userId: '1' } as never
  try {
    const stores = [
      connectRedisStore(redis.connect(), 'a:', 60),
      new ConnectRedis({ client: nodeRedis, prefix: 'b:', ttl: 60 }),
    ]
    for (const store of stores) {
      await store.set('1', session)
      await store.set('2', session)
      await store.touch('2', session)
      await store.destroy('1')
      expect(await store.get('2')).toEqual(session)
      expect(await store.get('1')).toBeNull()
    }
    expect(await redis.admin.get('a:2')).toBe(await redis.admin.get('b:2'))
    for (const key of ['a:2', 'b:2']) expect(await redis.admin.ttl(key)).toBeGreaterThan(50)
    expect((await redis.admin.keys('*')).sort()).toEqual(['a:2', 'b:2'])
  } finally {
    await nodeRedis.close()
    await redis.stop()
  }
})
