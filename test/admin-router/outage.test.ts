import type { Server } from 'node:http'
import { RedisStore, type SessionContent } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { makeUser } from '../support/acl-user.js'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { testSince } from '../support/server.js'
import { until } from '../support/until.js'
import { HTML, JSON_ONLY, MOUNT, SAME_ORIGIN, site } from './site.js'

const HANDLE = handleOf('ada-1')
const indexes = { user: (held: SessionContent) => held.userId }
let redis: PrivateRedis
let line: BadLine
let client: Redis
let store: RedisStore
let server: Server

beforeAll(async () => {
  redis = await privateRedis()
})
beforeEach(async () => {
  line = await badLineTo(redis.socketPath)
  client = new Redis(line.path, { maxRetriesPerRequest: 1, retryStrategy: () => 20 })
  client.on('error', () => undefined)
  store = new RedisStore({ client, indexes, activity: true, timeout: 400 })
  // By a store with more patience.
  await new RedisStore({ client: redis.admin, indexes }).set('ada-1', { userId: 'ada' } as never)
  server = site(store)
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await store.close()
  client.disconnect()
  await line.close()
})
afterAll(() => redis.stop())

const GETS = [
  'sessions',
  'sessions?index=user&value=ada',
  `sessions/${HANDLE}`,
  `sessions/${HANDLE}?index=user&value=ada`,
]
const MORE = ['end?all=true', `sessions/${HANDLE}/end`, 'stats', 'activity', 'health']
const POSTS: [string, object][] = [
  [`sessions/${HANDLE}/end`, {}],
  ['end', { index: 'user', value: 'ada' }],
  ['end', { all: true }],
]

async function statuses(headers: Record<string, string>): Promise<number[]> {
  const Cookie = 'admin=grace'
  const found: number[] = []
  for (const path of [...GETS, ...MORE]) {
    const answer = await request(server)
      .get(`${MOUNT}/${path}`)
      .set({ Cookie, ...headers })
    expect(answer.text).not.toMatch(/ada-1|sess:/)
    found.push(answer.status)
  }
  for (const [path, body] of POSTS) {
    const sent = request(server)
      .post(`${MOUNT}/${path}`)
      .set({ Cookie, ...headers, ...SAME_ORIGIN })
    found.push((await sent.send(body)).status)
  }
  return found
}

test.each(['hold', 'mute', 'stall'] as const)(
  'while Redis does not answer (%s), every answer is 503, and afterwards all is well',
  async (how) => {
    line[how]()
    for (const headers of [JSON_ONLY, HTML]) expect([...new Set(await statuses(headers))]).toEqual([503])
    const { body } = await request(server).get(`${MOUNT}/stats`).set('Cookie', 'admin=grace')
    expect(body).toEqual({
      error: expect.any(String),
      code: expect.stringMatching(/^ERR_SESSION_(TIMEOUT|UNAVAILABLE)$/),
    })
    line.cut()
    line.release()
    await until('all is well again', async () => {
      const { status } = await request(server).get(`${MOUNT}/sessions`).set('Cookie', 'admin=grace')
      return status === 200
    })
  },
)

test('as a Redis user who lacks a permission, the page says so, and not that it will pass', async () => {
  await makeUser(redis.admin, { name: 'app', password: 'secret' })
  const limited = new Redis(redis.socketPath, { username: 'app', password: 'secret' })
  const own = new RedisStore({ client: limited, indexes, activity: true })
  const restricted = site(own)
  const page = await request(restricted)
    .get(`${MOUNT}/stats`)
    .set({ Cookie: 'admin=grace', ...HTML })
  expect(page.status).toBe(503)
  expect(page.text).toMatch(/<h1>Redis does not allow that<\/h1>\s*<p class="lead">The Redis user lacks a permission/)
  restricted.close()
  await own.close()
  limited.disconnect()
})

// Redis before 7.0 cannot be asked what a user may do.
testSince(7, 0)('a user who may not look at settings gets a health page, and Redis has nothing to refuse', async () => {
  await makeUser(redis.admin, { name: 'app', password: 'secret' })
  const limited = new Redis(redis.socketPath, { username: 'app', password: 'secret' })
  await limited.ping()
  await redis.admin.call('ACL', 'LOG', 'RESET')
  const own = new RedisStore({ client: limited })
  const restricted = site(own)
  const { status, body } = await request(restricted)
    .get(`${MOUNT}/health`)
    .set({ Cookie: 'admin=grace', ...JSON_ONLY })
  expect(status).toBe(200)
  expect(body.servers[0].findings).toContainEqual({
    check: 'encoding',
    level: 'unknown',
    what: expect.stringMatching(/may not run CONFIG GET/),
  })
  expect(await redis.admin.call('ACL', 'LOG')).toEqual([])
  restricted.close()
  await own.close()
  limited.disconnect()
})

test('if Redis goes away in the middle of a walk, the answer is 503', async () => {
  for (let i = 0; i < 1500; i += 1) await redis.admin.hset(`sess:many-${i}`, '@', 'nothing')
  let isFailing = true
  server.prependListener('request', () => {
    client.call = ((...args: Parameters<Redis['call']>) => {
      // The second page of the walk does not come.
      if (String(args[0]).toLowerCase() === 'scan' && args[1] !== '0' && isFailing) {
        isFailing = false
        line.mute()
      }
      return Redis.prototype.call.apply(client, args)
    }) as Redis['call']
  })
  await request(server).get(`${MOUNT}/sessions`).set('Cookie', 'admin=grace').expect(503)
  expect(isFailing).toBe(false)
  await redis.admin.flushall()
})

/** Opens the live feed. @returns a function that reads on until it says this */
async function follow() {
  const { port } = server.address() as { port: number }
  const answer = await fetch(`http://localhost:${port}${MOUNT}/events`, {
    headers: { cookie: 'admin=grace', accept: 'text/event-stream' },
  })
  const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return async (expected: RegExp) => {
    while (!expected.test(text)) {
      const { value, done } = await reader.read()
      if (done) throw new Error('the feed has ended')
      text += value
    }
    return () => reader.cancel()
  }
}

test('a feed stays open while Redis is away, and says so', async () => {
  const says = await follow()
  let isTold = false
  const changing = async () => {
    for (let n = 0; !isTold; n++) await store.patch('ada-1', { n } as never)
  }
  await Promise.all([changing(), says(/event: saved/).finally(() => (isTold = true))])
  line.hold()
  line.cut()
  const leave = await says(/event: (missed|warning)/)
  line.release()
  await leave()
})

test('a feed that begins while Redis does not answer says so', async () => {
  line.hold()
  line.cut()
  const says = await follow()
  const leave = await says(/event: warning/)
  line.release()
  await leave()
})
