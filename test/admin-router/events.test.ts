import { once } from 'node:events'
import { get as httpGet, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { RedisStore, type SessionContent } from 'connect-redis-hash'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { privateRedis } from '../support/private-redis.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'
import { HTML, MOUNT, type SiteOptions, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const servers: Server[] = []
const stores: RedisStore[] = []
const streams: IncomingMessage[] = []

function makeStore(): RedisStore {
  const store = new RedisStore({ client, prefix, indexes, broadcast: true })
  stores.push(store)
  return store
}

function open(store: RedisStore, options: SiteOptions = {}): Server {
  const server = site(store, options)
  servers.push(server)
  return server
}

afterEach(async () => {
  for (const stream of streams.splice(0)) stream.destroy()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
  for (const store of stores.splice(0)) {
    await store.clear()
    await store.close()
  }
})
afterAll(() => client.quit())

interface Stream {
  response: IncomingMessage
  text: () => string
  events: () => { event: string; [more: string]: unknown }[]
}

/** Follows the live feed. */
async function follow(server: Server, headers: Record<string, string> = {}, path = 'events'): Promise<Stream> {
  const { port } = server.address() as AddressInfo
  const sent = httpGet({ port, path: `${MOUNT}/${path}`, headers: { Cookie: 'admin=grace', ...headers } })
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  streams.push(response)
  let text = ''
  response.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  response.on('error', () => undefined)
  const events = () =>
    [...text.matchAll(/^event: (\w+)\ndata: (.+)$/gm)].map(([, event, data = '']) => ({ ...JSON.parse(data), event }))
  return { response, text: () => text, events }
}

/** Changes a session until the feed tells of it: from then on, Redis reports changes. */
async function untilToldOf(store: RedisStore, { text }: Pick<Stream, 'text'>): Promise<void> {
  let i = 0
  await until('the feed tells of changes', async () => {
    await store.set(`warm-${++i}`, {} as never)
    return /created/.test(text())
  })
}

/** Ends sessions in one store until the other one hears of it: from then on, it hears the reasons. */
async function untilHeard(store: RedisStore, other: RedisStore): Promise<void> {
  let isHeard = false
  store.once('ended', () => {
    isHeard = true
  })
  let i = 0
  await until('the store hears of ends', async () => {
    await other.set(`heard-${++i}`, {} as never)
    await other.destroy(`heard-${i}`)
    return isHeard
  })
}

test.each<[string, string, Record<string, string>]>([
  ['as a stream', 'events', { Accept: 'text/event-stream' }],
  ['as the page that goes on growing', 'events?live', HTML],
])('HEAD of the feed, %s, is answered at once, and follows nothing', async (_what, path, headers) => {
  const server = open(makeStore(), { limits: { followers: 1 } })
  for (let visit = 0; visit < 3; visit++) {
    const response = await request(server)
      .head(`${MOUNT}/${path}`)
      .set({ Cookie: 'admin=grace', ...headers })
      .timeout(20_000)
    expect([response.status, response.text]).toEqual([200, undefined])
    // What compresses would keep what a slow visitor does not take.
    expect(response.headers['cache-control']).toBe('no-store, no-transform')
  }
  // The only place is free.
  expect((await follow(server, headers, path)).response.statusCode).toBe(200)
})

test('what happens to sessions is told as it happens, whichever process does it', async () => {
  const [store, other] = [makeStore(), makeStore()]
  const stream = await follow(open(store))
  expect(stream.response.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
  })
  await untilToldOf(store, stream)
  await untilHeard(store, other)
  await other.set('ada-1', { userId: 'ada' } as never)
  const handle = handleOf('ada-1')
  const of = (event: string) => stream.events().filter((one) => one.handle === handle && one.event === event)
  await until('the beginning is told', () => of('created').length === 1)
  await other.destroyBy('user', 'ada')
  await until('the end is told', () => of('ended').length === 1)
  expect(of('created')[0]).toEqual({ event: 'created', at: expect.any(String), handle, indexes: { user: ['ada'] } })
  expect(of('ended')[0]).toMatchObject({ reason: 'revoked', indexes: { user: ['ada'] } })
  expect(stream.text()).not.toMatch(new RegExp(`ada-1|${prefix}`))
})

test('a page that grows needs no script', async () => {
  const store = makeStore()
  const stream = await follow(open(store), HTML, 'events?live')
  expect(stream.response.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'self'/)
  await untilToldOf(store, stream)
  await store.set('ada-1', { userId: '<i>ada</i>' } as never)
  await until('the page has it', () => stream.text().includes('&lt;i&gt;ada&lt;/i&gt;'))
  expect(stream.text()).not.toMatch(/<script|<i>/)
  await store.close()
  await until('the page has an end', () => stream.text().endsWith('</html>\n'))
})

test('a page with the last ones, and the same as JSON, are there at once, and know more the next time', async () => {
  const store = makeStore()
  const server = open(store)
  const ask = (headers: object) =>
    request(server)
      .get(`${MOUNT}/events`)
      .set({ Cookie: 'admin=grace', ...headers })
  expect((await ask(HTML).expect(200)).text).toContain('Nothing yet.')
  let i = 0
  await until('it tells of changes', async () => {
    await store.set(`new-${++i}`, { userId: 'ada' } as never)
    return (await ask({ Accept: 'application/json' })).body.events.length > 0
  })
  expect((await ask(HTML)).text).toMatch(/<li><time[^>]*>[\d:]+<\/time> <span class="what created">created<\/span>/)
})

test('an idle feed shows signs of life', async () => {
  const stream = await follow(open(makeStore(), { limits: { heartbeatMs: 20 } }))
  await until('a sign of life comes', () => stream.text().includes(': still here\n\n'))
})

test('a feed ends after its time, so that authorize is asked again', async () => {
  const stream = await follow(open(makeStore(), { limits: { followMs: 50 } }))
  await until('it ends', () => stream.response.readableEnded)
  const page = await follow(open(makeStore(), { limits: { followMs: 50 } }), HTML, 'events?live')
  await until('the page ends', () => page.response.readableEnded)
  expect(page.text()).toContain('The time is over.')
})

test('there are only so many at a time, and one who leaves makes room', async () => {
  const store = makeStore()
  const server = open(store, { limits: { followers: 2, heartbeatMs: 20 } })
  const [first] = [await follow(server), await follow(server)]
  const refused = await follow(server)
  expect(refused.response.statusCode).toBe(503)
  first.response.destroy()
  await until('there is room', async () => {
    const next = await follow(server)
    return next.response.statusCode === 200
  })
})

test('after the last visitor has left, nothing is asked of Redis any more', async () => {
  // Other test files listen to the Cluster of the test run.
  const redis = await privateRedis()
  const store = new RedisStore({ client: redis.connect(), prefix, indexes, broadcast: true })
  try {
    // Those to which Redis reports changes.
    const connections = async () => String(await redis.admin.client('LIST')).match(/ flags=\w*t/g)?.length ?? 0
    const stream = await follow(open(store, { limits: { lingerMs: 20 } }))
    await untilToldOf(store, stream)
    expect(await connections()).toBe(1)
    expect(store.listenerCount('ended')).toBe(1)
    stream.response.destroy()
    await until('the connection is closed', async () => (await connections()) === 0)
    expect(store.listenerCount('ended')).toBe(0)
  } finally {
    await store.close()
    await redis.stop()
  }
})

test('a visitor who reads nothing loses changes, and costs no memory', async () => {
  const store = makeStore()
  const server = open(store, { limits: { followBytes: 1000 } })
  const lengths: number[] = []
  server.prependListener('request', (_req, res) => {
    const { write } = res
    res.write = ((...args: Parameters<typeof write>) => {
      lengths.push(res.writableLength)
      return write.apply(res, args)
    }) as typeof write
    // As if the connection took nothing.
    Object.defineProperty(res, 'writableLength', { get: () => (lengths.length > 20 ? 2000 : 0) })
  })
  const stream = await follow(server)
  await untilToldOf(store, stream)
  for (let i = 0; i < 200; i++) await store.set(`more-${i}`, {} as never)
  const other = await follow(open(makeStore()))
  await untilToldOf(store, other)
  expect(lengths.length).toBeLessThanOrEqual(21)
})

test('when the store is closed, feeds end, and no new one begins', async () => {
  const store = makeStore()
  const server = open(store)
  const stream = await follow(server)
  await store.close()
  await until('it ends', () => stream.response.readableEnded)
  expect((await follow(server)).response.statusCode).toBe(503)
})
