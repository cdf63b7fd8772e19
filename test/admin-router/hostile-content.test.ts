import type { Server } from 'node:http'
import { RedisStore, type SessionContent } from 'connect-redis-hash'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { connect, freshPrefix } from '../support/redis.js'
import { HTML, MOUNT, SAME_ORIGIN, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: SessionContent) => held.userId }
const store = new RedisStore({ client, prefix, indexes, activity: true })
let server: Server

beforeAll(() => {
  server = site(store, { showValue: () => true })
})
afterEach(() => store.clear())
afterAll(async () => {
  server.close()
  await store.close()
  await client.quit()
})

const get = (path: string) =>
  request(server)
    .get(`${MOUNT}/${path}`)
    .set({ ...HTML, Cookie: 'admin=grace' })
const json = (path: string) => request(server).get(`${MOUNT}/${path}`).set('Cookie', 'admin=grace')

const ATTEMPTS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</title><svg onload=alert(1)>',
  '&lt;b&gt;',
  'javascript:alert(1)',
  '\u202egnp.exe\u2066',
  'a\u0000b\r\nSet-Cookie: x=1',
]

/** What none of the pages has: scripts, styles, event handlers, other elements of the attempts. */
const MARKUP = /<script|<style|<img|<svg onload|<b>|<[^>]*\s(on\w+|style)=/i
/** Characters that turn the direction of text, and those that no text has. */
const OBEYED = /[\u202e\u2066]|\0/
/** Where a form repeats what was typed, it has to be the very text. */
const ATTRIBUTES = /="[^"]*"/g

test.each(ATTEMPTS)('as property name, value, user and label, %j is shown as text', async (text) => {
  await store.set('hostile', { userId: text, [text]: text, __proto__: { polluted: 1 } } as never)
  await client.hset(`${prefix}hostile`, '@client', text)
  const value = encodeURIComponent(text)
  const handle = handleOf('hostile')
  const paths = [
    'sessions',
    `sessions?index=user&value=${value}`,
    `sessions?index=${value}&value=${value}`,
    `sessions?page=${value}&ended=${value}&ending=${value}`,
    `sessions/${handle}`,
    `sessions/${handle}?index=user&value=${value}`,
    `sessions/${handle}/end?index=user&value=${value}`,
    `sessions/${value}`,
    `end?index=user&value=${value}`,
    `end?index=user&value=${value}&all=${value}`,
    `activity?step=${value}&from=${value}&to=${value}`,
    `stats?${value}=${value}`,
    `health?${value}`,
  ]
  for (const path of paths) {
    const { text: page, headers, status } = await get(path)
    expect([path, status]).toEqual([path, expect.any(Number)])
    expect(status).toBeLessThan(500)
    const rest = page.replace(ATTRIBUTES, '=""')
    expect([path, MARKUP.exec(rest)?.[0], OBEYED.exec(rest)?.[0]]).toEqual([path, undefined, undefined])
    expect(page).not.toMatch(/(href|action)="(?!\.|#)/)
    expect(headers['set-cookie']).toBeUndefined()
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
    )
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
    })
  }
  const ended = await request(server)
    .post(`${MOUNT}/end`)
    .set({ ...HTML, ...SAME_ORIGIN, Cookie: 'admin=grace' })
    .type('form')
    .send({ index: 'user', value: text })
  // Browsers send line ends their own way; nothing else changes on the way.
  expect(ended.status).toBe(303)
  expect(ended.headers.location).toMatch(/^\.\/sessions\?index=user&value=[^\s"'<>]+&ended=1$/)
  expect(await store.length()).toBe(0)
})

test('a property that is called like one of Object is shown like any other', async () => {
  const names = ['constructor', 'toString', 'hasOwnProperty']
  await store.set('names', Object.fromEntries(names.map((name) => [name, 1])) as never)
  const { body } = await json(`sessions/${handleOf('names')}`).expect(200)
  expect(body.properties).toEqual({ constructor: 1, toString: 1, hasOwnProperty: 1 })
})

test('no answer has an id or a key of Redis', async () => {
  const ids = ['secret-id-of-ada-1', 'secret-id-of-bob-2']
  for (const id of ids) await store.set(id, { userId: id.slice(-5) } as never)
  const [first] = ids.map(handleOf)
  const paths = ['', 'sessions', 'sessions?index=user&value=ada-1', `sessions/${first}`, `sessions/${first}/end`]
  const more = [
    'end?all=true',
    'stats',
    'activity',
    'events',
    'health',
    'openapi.json',
    'style.css',
    'sessions/secret-id-of-ada-1',
  ]
  for (const path of [...paths, ...more]) {
    for (const answer of [await get(path), await json(path).set('Accept', 'application/json')]) {
      const all = JSON.stringify([answer.headers, answer.text ?? '', answer.body])
      expect([path, all.includes('secret-id'), all.includes(prefix)]).toEqual([path, false, false])
    }
  }
})
