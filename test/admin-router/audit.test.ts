import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import { type AuditEntry, RedisStore, type SessionContent } from 'connect-redis-hash'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { connect, freshPrefix } from '../support/redis.js'
import { MOUNT, SAME_ORIGIN, type SiteOptions, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix, indexes, activity: true })
store.setMaxListeners(0)
const servers: Server[] = []
const HANDLE = handleOf('ada-1')

function open(options: SiteOptions): Server {
  const server = site(store, options)
  servers.push(server)
  return server
}

const get = (server: Server, path: string) => request(server).get(`${MOUNT}/${path}`).set('Cookie', 'admin=grace')

beforeEach(async () => {
  await store.clear()
  await store.set('ada-1', { userId: 'ada' } as never)
})
afterAll(async () => {
  for (const server of servers) server.close()
  await store.close()
  await client.quit()
})

test('every look is told, with who and what: to the option, as an event, and on a diagnostics channel', async () => {
  const told: AuditEntry[] = []
  const emitted: AuditEntry[] = []
  const published: unknown[] = []
  const listen = (entry: unknown) => void published.push(entry)
  store.on('audit', (entry) => emitted.push(entry))
  subscribe('connect-redis-hash:audit', listen)
  const server = open({ audit: (entry) => void told.push(entry) })
  await get(server, 'sessions')
  await get(server, 'sessions?index=user&value=ada')
  await get(server, `sessions/${HANDLE}?index=user&value=ada`)
  await get(server, `sessions/${HANDLE}/end`)
  await get(server, `sessions/${'A'.repeat(22)}`)
  await get(server, 'sessions/no-handle-at-all')
  await get(server, 'stats')
  await get(server, 'activity')
  await get(server, 'health')
  await get(server, 'sessions?page=x')
  await get(server, 'style.css')
  await get(server, 'openapi.json')
  await request(server).get(`${MOUNT}/sessions/${HANDLE}`)
  unsubscribe('connect-redis-hash:audit', listen)
  store.removeAllListeners('audit')
  const [at, who] = [expect.any(Date), 'grace']
  const done = { at, who, outcome: 'done' }
  expect(told).toEqual([
    { ...done, action: 'list' },
    { ...done, action: 'list', index: 'user', value: 'ada' },
    { ...done, action: 'show', handle: HANDLE, index: 'user', value: 'ada' },
    { ...done, action: 'show', handle: HANDLE },
    { at, who, action: 'show', outcome: 'failed', why: 'there is no such session', handle: 'A'.repeat(22) },
    { at, who, action: 'show', outcome: 'failed', why: 'there is no such session' },
    { ...done, action: 'stats' },
    { ...done, action: 'activity' },
    { ...done, action: 'health' },
    { at, who, action: 'list', outcome: 'failed', why: expect.stringMatching(/^"page" must be/) },
    { at, who: undefined, action: 'show', outcome: 'refused', why: 'not authorized', handle: HANDLE },
  ])
  expect(emitted).toEqual(told)
  expect(published).toEqual(told)
  expect(store.counters.audit).toBe(told.length)
  expect(JSON.stringify(told)).not.toMatch(new RegExp(`ada-1|${prefix}`))
})

test.each<[string, () => unknown, number]>([
  ['throws', () => fail(new Error('the log is full')), 500],
  ['rejects', async () => fail(new Error('the log is full')), 500],
  ['does not settle', () => new Promise(() => undefined), 503],
])('if audit %s, nobody sees anything', async (_what, audit, status) => {
  const server = open({ audit, limits: { applicationMs: 30 } })
  for (const path of ['sessions', `sessions/${HANDLE}`, 'stats', 'events']) {
    const { text } = await get(server, path).expect(status)
    expect(text).not.toContain(HANDLE)
  }
  await request(server)
    .post(`${MOUNT}/end`)
    .set({ Cookie: 'admin=grace', ...SAME_ORIGIN })
    .send({ all: true })
    .expect(status)
})

test('what audit does with its entry changes nothing', async () => {
  const server = open({ audit: (entry) => Object.assign(entry, { who: 'nobody' }) })
  const entries: AuditEntry[] = []
  store.on('audit', (entry) => entries.push(entry))
  await get(server, 'sessions').expect(200)
  store.removeAllListeners('audit')
  expect(entries).toMatchObject([{ who: 'grace' }])
})

function fail(err: unknown): never {
  throw err
}
