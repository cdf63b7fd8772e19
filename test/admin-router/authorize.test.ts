import type { Server, ServerResponse } from 'node:http'
import { type AuditEntry, RedisStore, type SessionContent } from 'connect-redis-hash'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { connect, freshPrefix } from '../support/redis.js'
import { FRAMEWORKS, HTML, JSON_ONLY, MOUNT, SAME_ORIGIN, type SiteOptions, site } from './site.js'

const client = connect()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix: freshPrefix(), indexes, activity: true })
store.setMaxListeners(0)
const servers: Server[] = []
const HANDLE = handleOf('ada-1')

function open(options: SiteOptions): Server {
  const server = site(store, options)
  servers.push(server)
  return server
}

beforeEach(async () => {
  await store.clear()
  await store.set('ada-1', { userId: 'ada' } as never)
})
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await store.close()
  await client.quit()
})

const GETS = [
  '',
  '/',
  '/sessions',
  `/sessions/${HANDLE}`,
  `/sessions/${HANDLE}/end`,
  '/end?all=true',
  '/stats',
  '/activity',
]
const MORE_GETS = ['/events', '/health', '/openapi.json', '/style.css']
const POSTS = [`/sessions/${HANDLE}/end`, '/end']

/** Asks for everything that the router has. @returns the statuses */
async function statuses(server: Server, headers: Record<string, string> = JSON_ONLY): Promise<number[]> {
  const found: number[] = []
  for (const path of [...GETS, ...MORE_GETS])
    found.push(
      (
        await request(server)
          .get(MOUNT + path)
          .set(headers)
      ).status,
    )
  for (const path of POSTS) {
    const sent = request(server)
      .post(MOUNT + path)
      .set({ ...headers, ...SAME_ORIGIN })
    found.push((await sent.send({ all: true })).status)
  }
  return [...new Set(found)]
}

describe.each(Object.entries(FRAMEWORKS))('on %s', (_name, framework) => {
  test.each<[string, SiteOptions['authorize'], number]>([
    ['returns false', () => false, 403],
    ['returns undefined', () => undefined, 403],
    ['resolves to null', async () => null, 403],
    ["returns ''", () => '', 403],
    ['returns 0', () => 0, 403],
    ['resolves to NaN', async () => Number.NaN, 403],
    ['returns the response by mistake', (_req, res) => Object.assign(res, { statusCode: 200 }), 403],
    ['throws', () => fail(new Error('no')), 500],
    ['rejects', async () => fail(new Error('no')), 500],
    ['throws an error with a status', () => fail(Object.assign(new Error('no'), { status: 418 })), 418],
    ['throws undefined', () => fail(undefined), 500],
    ["throws 'router', which Express takes for an order", () => fail('router'), 500],
    ["rejects with 'route'", async () => fail('route'), 500],
    ['does not settle', () => new Promise(() => undefined), 503],
    [
      'resolves when its time is over',
      (_req, res) => new Promise((done) => res.once('close', () => done('grace'))),
      503,
    ],
    ['answers with 401 itself', (_req, res) => answer(res, 401), 401],
    ['answers, and resolves to somebody', async (_req, res) => answer(res, 401) ?? 'grace', 401],
  ])('whose authorize %s: nobody gets in, and nothing is ended', async (_what, authorize, status) => {
    const server = open({ framework, authorize: authorize as never, limits: { applicationMs: 30 } })
    expect(await statuses(server)).toEqual([status])
    expect(await statuses(server, HTML)).toEqual([status])
    expect(await store.length()).toBe(1)
  })

  test.each<[string, SiteOptions['authorize']]>([
    ['at once', () => ({ name: 'grace' })],
    ['later', async () => ({ name: 'grace' })],
  ])('whose authorize names somebody %s: they get in, and audit says who', async (_when, authorize) => {
    const entries: AuditEntry[] = []
    const server = open({ framework, authorize: authorize as never, audit: (entry) => entries.push(entry) })
    const { body } = await request(server).get(`${MOUNT}/sessions`).set(JSON_ONLY).expect(200)
    expect(body.sessions).toHaveLength(1)
    expect(entries).toEqual([{ at: expect.any(Date), who: { name: 'grace' }, action: 'list', outcome: 'done' }])
  })

  test('a path that the router does not have is left to the application, and authorize is not asked', async () => {
    let asked = 0
    const server = open({ framework, authorize: () => ++asked })
    for (const path of ['/nothing', '/sessions/a/b/c', '/sessions/a/b', '/__proto__', '/constructor']) {
      await request(server)
        .get(MOUNT + path)
        .expect(404, 'no such page')
    }
    await request(server).delete(`${MOUNT}/sessions`).expect(404, 'no such page')
    expect(asked).toBe(0)
  })
})

test('a refusal tells nothing of the site, as a page and as JSON', async () => {
  const server = open({ authorize: () => false })
  const page = await request(server).get(`${MOUNT}/sessions`).set(HTML).expect(403)
  expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'self'/)
  expect(page.text).not.toMatch(/<nav|href/)
  const json = await request(server).get(`${MOUNT}/sessions`).expect(403)
  expect(json.body).toEqual({ error: 'you may not administer sessions' })
})

test('HEAD is asked for like GET', async () => {
  const server = open({ authorize: ({ headers }) => headers.cookie })
  await request(server).head(`${MOUNT}/sessions`).expect(403)
  await request(server).head(`${MOUNT}/sessions`).set('Cookie', 'admin=grace').expect(200)
})

function fail(err: unknown): never {
  throw err
}

function answer(res: ServerResponse, status: number): undefined {
  res.statusCode = status
  res.end()
}
