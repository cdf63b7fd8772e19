import type { Server } from 'node:http'
import { RedisStore, type SessionContent } from 'connect-redis-hash'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { makeMany } from '../support/many-sessions.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { HTML, MOUNT, type SiteOptions, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId, tenant: (held: SessionContent) => held.tenant }
const store = new RedisStore({ client, prefix, indexes })
store.setMaxListeners(0)
const servers: Server[] = []
const make = (sid: string, data: object) => store.set(sid, data as never)

function open(options: SiteOptions = {}): Server {
  const server = site(store, options)
  servers.push(server)
  return server
}

const server = open()
const get = (path: string, from = server) => request(from).get(`${MOUNT}/${path}`).set('Cookie', 'admin=grace')
const page = (path: string, from = server) => get(path, from).set(HTML)

afterEach(() => store.clear())
afterAll(async () => {
  for (const one of servers) one.close()
  await store.close()
  await client.quit()
})

/** Two sessions of Ada, the second one older, and one of Bob. */
async function people(): Promise<void> {
  await make('ada-1', { userId: 'ada', tenant: 'acme', cart: { tea: 2 } })
  await make('ada-2', { userId: 'ada' })
  await make('bob-1', { userId: 'bob', tenant: 'acme' })
  await passTime(client, `${prefix}ada-2`, 3_600_000)
  await passTime(client, `${prefix}bob-1`, 60_000)
}

const handles = (...sids: string[]) => sids.map(handleOf)
const listed = ({ body }: request.Response) => body.sessions.map(({ handle }: { handle: string }) => handle)

test('all are listed, the most recently seen first', async () => {
  await people()
  const answer = await get('sessions').expect(200)
  expect(answer.headers).toMatchObject({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  })
  expect(listed(answer)).toEqual(handles('ada-1', 'bob-1', 'ada-2'))
  expect(answer.body).toMatchObject({ page: 1, total: 3, complete: true, hasMore: false })
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  expect(answer.body.sessions[0]).toEqual({
    handle: handleOf('ada-1'),
    ...{ createdAt: time, seenAt: time, expiresAt: time },
    indexes: { user: ['ada'], tenant: ['acme'] },
    deviceBound: false,
  })
})

test('those of an index value are listed, and no others', async () => {
  await people()
  expect(listed(await get('sessions?index=user&value=ada').expect(200))).toEqual(handles('ada-1', 'ada-2'))
  expect(listed(await get('sessions?index=tenant&value=acme').expect(200))).toEqual(handles('ada-1', 'bob-1'))
  const none = await get('sessions?index=user&value=nobody').expect(200)
  expect(none.body).toMatchObject({ sessions: [], total: 0, complete: true })
})

test('a long value is found by the digest that pages show of it, too', async () => {
  const userId = 'x'.repeat(200)
  await make('long', { userId })
  const [first] = (await get(`sessions?index=user&value=${userId}`)).body.sessions
  const [digest] = first.indexes.user
  expect(digest).toMatch(/^#/)
  expect(listed(await get(`sessions?index=user&value=${encodeURIComponent(digest)}`))).toEqual(handles('long'))
})

test('pages follow each other without a gap, and without one that comes twice', async () => {
  await makeMany(client, prefix, 'ada', 120)
  for (const query of ['', 'index=user&value=ada&']) {
    const pages = [1, 2, 3, 4].map((number) => get(`sessions?${query}page=${number}`).expect(200))
    const answers = await Promise.all(pages)
    expect(answers.map((answer) => listed(answer).length)).toEqual([50, 50, 20, 0])
    expect(answers.map(({ body }) => body.hasMore)).toEqual([true, true, false, false])
    const newestFirst = Array.from({ length: 120 }, (_, i) => handleOf(`many${119 - i}`))
    expect(answers.flatMap(listed)).toEqual(newestFirst)
  }
  const { text } = await page('sessions?index=user&value=ada&page=2')
  expect(text).toContain('href="./sessions?index=user&amp;value=ada&amp;page=1"')
  expect(text).toContain('href="./sessions?index=user&amp;value=ada&amp;page=3"')
  expect(text).toContain('Page 2 of 3')
})

test.each([
  'page=0',
  'page=-1',
  'page=1.5',
  'page=x',
  'page=201',
  'page=99999999999',
  'index=secret&value=1',
  'value=1',
])('what makes no sense is a 400 that says why: %s', async (query) => {
  const { body } = await get(`sessions?${query}`).expect(400)
  expect(body.error).toMatch(/^"(page|index)" must be/)
  expect((await page(`sessions?${query}`).expect(400)).text).toContain('That cannot be read')
})

test('one is shown with its times, indexes, and names and sizes of properties, but no value', async () => {
  await people()
  for (const query of ['', '?index=user&value=ada', '?index=user&value=bob']) {
    const { body } = await get(`sessions/${handleOf('ada-1')}${query}`).expect(200)
    expect(body).toMatchObject({ handle: handleOf('ada-1'), indexes: { user: ['ada'], tenant: ['acme'] } })
    expect(body.properties).toEqual({ userId: 5, tenant: 6, cart: 9 })
    expect(body).not.toHaveProperty('values')
  }
  expect((await page(`sessions/${handleOf('ada-1')}`)).text).not.toContain('tea')
})

test('showValue decides which values are shown; what is not true is no', async () => {
  await people()
  const showValue = (name: string) => ({ cart: true, tenant: 'yes' })[name] as boolean
  const showing = open({ showValue })
  const { body } = await get(`sessions/${handleOf('ada-1')}`, showing)
  expect(body.values).toEqual({ cart: { tea: 2 } })
  const { text } = await page(`sessions/${handleOf('ada-1')}`, showing)
  expect(text).toContain('{&quot;tea&quot;:2}')
  expect(text.match(/not shown/g)).toHaveLength(2)
})

test('a showValue that throws shows nothing', async () => {
  await people()
  const broken = open({
    showValue() {
      throw new Error('broken')
    },
  })
  await get(`sessions/${handleOf('ada-1')}`, broken).expect(500, '500 broken')
})

test('a session is found after it was ended no more, and a handle that is none never', async () => {
  await people()
  await store.destroy('ada-1')
  for (const handle of [handleOf('ada-1'), 'ada-1', '..', '%2e%2e', 'a'.repeat(500), '%00', '%E0%A4%A']) {
    await get(`sessions/${handle}`).expect(404)
  }
})

test('what connect-redis wrote is listed last, and shown', async () => {
  await people()
  await client.set(`${prefix}old`, JSON.stringify({ cookie: {}, userId: 'eve' }), 'EX', 600)
  const { body } = await get('sessions')
  expect(body.sessions.at(-1)).toMatchObject({ handle: handleOf('old'), seenAt: null, format: 'connect-redis' })
  expect((await get(`sessions/${handleOf('old')}`)).body.properties).toEqual({ userId: 5 })
  expect((await page(`sessions/${handleOf('old')}`)).text).toContain('a string of connect-redis')
})

test('a walk that takes too long is cut off, and says so', async () => {
  await makeMany(client, prefix, 'ada', 3000)
  const hasty = open({ limits: { walkKeys: 600 } })
  const { body } = await get('sessions', hasty).expect(200)
  expect(body).toMatchObject({ complete: false, hasMore: true })
  expect(body.sessions).toHaveLength(50)
  expect(body.total).toBeLessThan(3000)
  expect((await page('sessions', hasty)).text).toContain('the time was too short to look at all')
  // An index is read from the newest on, so that what is seen of it is the newest.
  const indexed = await get('sessions?index=user&value=ada', hasty)
  expect(indexed.body.complete).toBe(false)
  expect(listed(indexed)[0]).toBe(handleOf('many2999'))
  const { body: stats } = await get('stats', hasty).expect(200)
  expect(stats.complete).toBe(false)
  expect(stats.sessions).toBeLessThan(3000)
  const unknown = await get(`sessions/${'A'.repeat(22)}`, hasty).expect(503)
  expect(unknown.body.error).toMatch(/^it is not among the first \d+ sessions/)
  const asked = await page('end?all=true', hasty).expect(200)
  expect(asked.text).toMatch(/End more than [\d,]+ sessions\?/)
})

test('only so many look through all sessions at a time; the others are told to try again', async () => {
  await makeMany(client, prefix, 'ada', 2000)
  const busy = open({ limits: { walks: 1 } })
  const answers = await Promise.all(Array.from({ length: 5 }, () => get('sessions', busy)))
  const statuses = answers.map(({ status }) => status)
  expect(statuses).toContain(200)
  expect(statuses).toContain(503)
  expect(answers.find(({ status }) => status === 503)?.headers['retry-after']).toBe('5')
  await get('sessions', busy).expect(200)
})

test('links work wherever the router is mounted, with the slash or without', async () => {
  await people()
  for (const path of ['sessions', 'sessions/', `sessions/${handleOf('ada-1')}`, `sessions/${handleOf('ada-1')}/end`]) {
    const { text } = await page(path).expect(200)
    const links = [...text.matchAll(/(?:href|action)="([^"#][^"]*)"/g)].map(([, link = '']) => link)
    expect(links.length).toBeGreaterThan(5)
    for (const link of links) {
      expect(new URL(link.replaceAll('&amp;', '&'), `http://localhost${MOUNT}/${path}`).pathname).toMatch(
        new RegExp(`^${MOUNT}/(sessions|activity|stats|events|health|end|style\\.css|openapi\\.json)`),
      )
    }
  }
  const based = open({ base: '/outside' })
  expect((await page('sessions', based)).text).toContain('href="/outside/style.css"')
  for (const from of [MOUNT, `${MOUNT}/`]) {
    const { headers } = await request(server)
      .get(from)
      .set({ ...HTML, Cookie: 'admin=grace' })
      .expect(303)
    expect(new URL(headers.location as string, `http://localhost${from}`).pathname).toBe(`${MOUNT}/sessions`)
  }
})

test('store.find finds a session by its handle, and prolongs nothing', async () => {
  await people()
  await client.pexpire(`${prefix}ada-1`, 50_000)
  expect(await store.find(handleOf('ada-1'))).toMatchObject({ handle: handleOf('ada-1'), indexes: { user: ['ada'] } })
  expect(await client.pttl(`${prefix}ada-1`)).toBeLessThanOrEqual(50_000)
  expect(await store.find(handleOf('nobody'))).toBeNull()
  expect(await store.find('ada-1')).toBeNull()
  await expect(store.find(undefined as never)).rejects.toThrow(TypeError)
})
