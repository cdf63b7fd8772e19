import { randomBytes, randomUUID } from 'node:crypto'
import { RedisStore, secureSession } from 'connect-redis-hash'
import { newSessionId } from '../../src/secure-session/session-id.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Browser, options, type Site, site } from './site.js'

const client = connect()
const prefix = freshPrefix()
let open: Site | undefined

afterEach(() => open?.close())
afterAll(async () => {
  await new RedisStore({ client, prefix }).clear()
  await client.quit()
})

const withGenid = (genid: unknown) => () => secureSession(options({ client, prefix, genid }))
let count = 0

test('100 000 default ids are all different, and 256 bits each', () => {
  const ids = Array.from({ length: 100_000 }, () => newSessionId({} as never))
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.every((id) => Buffer.from(id, 'base64url').length === 32)).toBe(true)
})

test.each<[string, unknown, RegExp]>([
  ['is no function', 'x', /must be a function/],
  [
    'throws',
    () => {
      throw new Error('no request id')
    },
    /must not throw/,
  ],
  ['returns nothing', () => undefined, /no session id/],
  ['returns a number', () => Math.random(), /no session id/],
  ['returns a promise', async () => randomBytes(32).toString('hex'), /no session id/],
  ['returns what does not fit into a cookie', () => `${randomBytes(32).toString('hex')} `, /no session id/],
  [
    'returns standard base64 of random bytes in braces',
    () => `{${randomBytes(32).toString('base64')}}`,
    /no session id/,
  ],
  ['returns what leaves no room to renew it', () => randomBytes(101).toString('hex'), /1 to 200/],
  ['always returns the same', () => 'x3JtYkQm8vS1nZ0aWcRbUe5HdLgTpF7oXyVi', /same id again/],
  ['returns ids again after a while', () => cycle(300), /same id again/],
  ['returns short ids', () => randomBytes(6).toString('base64url'), /vary by \d\d bits/],
  ['counts', () => `session-of-the-shop-with-a-long-name-${count++}`, /vary by \d+ bits/],
  ['returns the time, padded', () => String(process.hrtime.bigint()).padStart(48, 'x'), /vary by \d+ bits/],
  ['returns UUIDs', () => randomUUID(), /UUID/],
  ['returns UUIDs in capitals', () => randomUUID().toUpperCase(), /UUID/],
  ['returns UUIDs without hyphens', () => randomUUID().replaceAll('-', ''), /UUID/],
  ['returns 126 bits', () => randomBytes(16).toString('base64url').slice(0, 21), /vary by 12\d bits/],
  ['returns 124 bits', () => randomBytes(16).toString('hex').slice(1), /vary by 124 bits/],
])('a genid that %s is refused with a TypeError that names it', (_name, genid, message) => {
  expect(withGenid(genid)).toThrow(TypeError)
  expect(withGenid(genid)).toThrow(/^"genid" option must /)
  expect(withGenid(genid)).toThrow(message)
})

const cycled = Array.from({ length: 300 }, () => randomBytes(32).toString('hex'))
const cycle = (length: number) => cycled[count++ % length]

test.each<[string, () => string]>([
  ['192 bits in hex', () => randomBytes(24).toString('hex')],
  ['128 bits in hex', () => randomBytes(16).toString('hex')],
  ['128 bits in base64url', () => randomBytes(16).toString('base64url')],
  ['256 bits in base64', () => randomBytes(32).toString('base64')],
  ['a prefix and 128 bits', () => `shop:${randomBytes(16).toString('hex')}`],
  ['decimal digits', () => [...randomBytes(64)].map((byte) => byte % 10).join('')],
])('a genid with %s is accepted, time after time', (_name, genid) => {
  for (let time = 0; time < 20; time++) expect(withGenid(genid)).not.toThrow()
})

test('a genid is what the ids come from, and gets the request', async () => {
  open = await site({
    client,
    prefix,
    genid: (req: { method: string; url: string; headers: Record<string, string> }) =>
      `${req.method}-${req.headers['x-region'] ?? 'none'}-${randomBytes(32).toString('hex')}`,
  })
  const browser = new Browser(open)
  await browser.get('/set?cart=tea', { 'X-Region': 'eu' })
  expect(browser.sid).toMatch(/^GET-eu-[0-9a-f]{64}$/)
})
