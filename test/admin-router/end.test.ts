import type { Server } from 'node:http'
import { type AuditEntry, RedisStore, type SessionContent } from 'connect-redis-hash'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { makeMany } from '../support/many-sessions.js'
import { connect, freshPrefix } from '../support/redis.js'
import { until } from '../support/until.js'
import { FRAMEWORKS, HTML, MOUNT, SAME_ORIGIN, type SiteOptions, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix, indexes })
store.setMaxListeners(0)
const servers: Server[] = []
let entries: AuditEntry[] = []

function open(options: SiteOptions = {}): Server {
  const server = site(store, { audit: (entry) => void entries.push(entry), ...options })
  servers.push(server)
  return server
}

beforeEach(async () => {
  await store.clear()
  entries = []
  for (const sid of ['ada-1', 'ada-2', 'bob-1']) await store.set(sid, { userId: sid.split('-')[0] } as never)
})
afterAll(async () => {
  for (const one of servers) one.close()
  await store.close()
  await client.quit()
})

interface Post {
  headers?: Record<string, string>
  body?: object
  type?: string
}

const post = (server: Server, path: string, { headers = SAME_ORIGIN, body = {}, type = 'json' }: Post = {}) =>
  request(server)
    .post(`${MOUNT}/${path}`)
    .set({ Cookie: 'admin=grace', ...headers })
    .type(type)
    .send(body)
const left = async () => (await store.all()).map(({ id }) => id).sort()

describe.each(Object.entries(FRAMEWORKS))('on %s', (_name, framework) => {
  const server = open({ framework })

  test('one is ended, and audit says by whom', async () => {
    const { body } = await post(server, `sessions/${handleOf('ada-1')}/end`).expect(200)
    expect(body).toEqual({ ended: 1 })
    expect(await left()).toEqual(['ada-2', 'bob-1'])
    const about = { who: 'grace', action: 'end', outcome: 'done', handle: handleOf('ada-1'), ended: 1 }
    expect(entries).toEqual([{ at: expect.any(Date), ...about }])
    await post(server, `sessions/${handleOf('ada-1')}/end`).expect(404)
    expect(entries[1]).toMatchObject({ action: 'end', outcome: 'failed', why: 'there is no such session' })
  })

  test.each([
    ['JSON', { body: { index: 'user', value: 'ada' } }],
    ['a form', { body: { index: 'user', value: 'ada' }, type: 'form' }],
  ])('all of an index value are ended, by %s', async (_what, sent) => {
    const { body } = await post(server, 'end', sent).expect(200)
    expect(body).toEqual({ ended: 2, complete: true })
    expect(await left()).toEqual(['bob-1'])
    expect(entries).toMatchObject([{ action: 'end-by', outcome: 'done', index: 'user', value: 'ada', ended: 2 }])
  })

  test('all are ended', async () => {
    const { body } = await post(server, 'end', { body: { all: true } }).expect(200)
    expect(body).toEqual({ ended: 3, complete: true })
    expect(await left()).toEqual([])
    expect(entries).toMatchObject([{ action: 'end-all', outcome: 'done', ended: 3 }])
  })

  test('a browser is asked before, and gets back to the list', async () => {
    const ask = await request(server)
      .get(`${MOUNT}/end?index=user&value=ada`)
      .set({ ...HTML, Cookie: 'admin=grace' })
    expect(ask.text).toContain('End 2 sessions?')
    expect(ask.text).toContain('<form method="post" action="./end">')
    expect(await left()).toHaveLength(3)
    const form = { body: { index: 'user', value: 'ada' }, type: 'form', headers: { ...SAME_ORIGIN, ...HTML } }
    const { headers } = await post(server, 'end', form).expect(303)
    expect(headers.location).toBe('./sessions?index=user&value=ada&ended=2')
  })
})

const server = open()

test.each<[string, object]>([
  ['nothing', {}],
  ['another field', { user: 'ada' }],
  ['an index without a value', { index: 'user' }],
  ['a value without an index', { value: 'ada' }],
  ['an index that the store does not have', { index: 'secret', value: 'ada' }],
  ['an empty value', { index: 'user', value: '' }],
  ['a value that is a list', { index: 'user', value: ['ada'] }],
  ['a value that is an object', { index: 'user', value: { toString: 'ada' } }],
  ['half a surrogate pair', { index: 'user', value: '\ud800' }],
  ['both', { index: 'user', value: 'ada', all: true }],
  ['all: false', { all: false }],
  ['all: 1', { all: 1 }],
])('a body that names %s is a 400, and ends nothing', async (_what, body) => {
  await post(server, 'end', { body }).expect(400)
  expect(await left()).toHaveLength(3)
  expect(entries).toMatchObject([{ outcome: 'failed' }])
})

test.each<[string, Record<string, string>]>([
  ['no header that says where it comes from', {}],
  ['Sec-Fetch-Site: cross-site', { 'Sec-Fetch-Site': 'cross-site' }],
  ['Sec-Fetch-Site: same-site', { 'Sec-Fetch-Site': 'same-site' }],
  ['Sec-Fetch-Site: none', { 'Sec-Fetch-Site': 'none' }],
  ['the Origin of another site', { Origin: 'https://evil.example' }],
  ['Origin: null', { Origin: 'null' }],
])('with %s, nothing is ended, and audit says that it was refused', async (_what, headers) => {
  for (const path of ['end', `sessions/${handleOf('ada-1')}/end`]) {
    await post(server, path, { headers, body: { all: true } }).expect(403)
  }
  expect(await left()).toHaveLength(3)
  expect(entries).toMatchObject([
    { who: 'grace', outcome: 'refused' },
    { who: 'grace', outcome: 'refused', handle: handleOf('ada-1') },
  ])
})

test('with readOnly, nothing is ended, no page offers it, and looking goes on', async () => {
  const looking = open({ readOnly: true })
  for (const path of ['end', `sessions/${handleOf('ada-1')}/end`]) {
    await post(looking, path, { body: { all: true } }).expect(403)
    await request(looking).get(`${MOUNT}/${path}?all=true`).set('Cookie', 'admin=grace').expect(403)
  }
  expect(entries.map(({ outcome }) => outcome)).toEqual(Array(4).fill('refused'))
  for (const path of ['sessions', `sessions/${handleOf('ada-1')}`]) {
    const { text } = await request(looking)
      .get(`${MOUNT}/${path}`)
      .set({ ...HTML, Cookie: 'admin=grace' })
      .expect(200)
    expect(text).toContain('Read only')
    expect(text).not.toMatch(/method="post"|\/end|>End /)
  }
  expect(await left()).toHaveLength(3)
})

test('the own session of whoever asks ends like all others, and this request does not bring it back', async () => {
  const agent = request.agent(server)
  await agent.get('/login/grace')
  const sid = await left().then((ids) => ids.find((id) => !/^(ada|bob)/.test(id)) as string)
  await agent
    .post(`${MOUNT}/sessions/${handleOf(sid)}/end`)
    .set({ Cookie: 'admin=grace', ...SAME_ORIGIN })
    .expect(200)
  expect(await left()).toEqual(['ada-1', 'ada-2', 'bob-1'])
  await agent.get('/login/grace')
  const { headers } = await agent
    .post(`${MOUNT}/end`)
    .set({ Cookie: 'admin=grace', ...SAME_ORIGIN })
    .send({ all: true })
    .expect(200)
  expect(headers['set-cookie']).toBeUndefined()
  expect(await left()).toEqual([])
})

test('if ending takes long, the answer does not wait; it goes on, and audit tells the end', async () => {
  await makeMany(client, prefix, 'carol', 1500)
  const hasty = open({ limits: { endMs: 1 } })
  const { body, status } = await post(hasty, 'end', { body: { all: true } })
  expect([status, body.complete]).toEqual([202, false])
  await until('the end is told', () => entries.length === 2)
  expect(entries).toMatchObject([
    { action: 'end-all', outcome: 'begun' },
    { action: 'end-all', outcome: 'done', ended: 1503, who: 'grace' },
  ])
  expect(await left()).toEqual([])
})

test('sessions that are ended are gone from the index, and the application hears of each', async () => {
  const reasons: string[] = []
  store.on('destroyed', ({ reason }) => reasons.push(reason))
  await post(server, 'end', { body: { all: true } }).expect(200)
  expect(reasons).toEqual(['revoked', 'revoked', 'revoked'])
  expect(await client.exists(`idx:${prefix}user:ada`)).toBe(0)
  store.removeAllListeners('destroyed')
})

test('a body that is too large, or cut off, ends nothing', async () => {
  await post(server, 'end', { body: { all: true, more: 'x'.repeat(5000) } }).expect(413)
  await post(server, 'end', { body: 'all=true' as never, type: 'text/plain' }).expect(415)
  expect(await left()).toHaveLength(3)
})
