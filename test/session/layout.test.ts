import { RedisStore } from 'connect-redis-hash'
import { connect, freshPrefix } from '../support/redis.js'
import { COMPACT } from '../support/server.js'

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix })

afterAll(async () => {
  await store.clear()
  await client.quit()
})

const nineFields = {
  userId: 'u-12345678',
  name: 'Ada Lovelace',
  role: 'admin',
  locale: 'en-GB',
  theme: 'dark',
  cart: [1, 2, 3],
  csrfToken: 'k3J9x0Qw8Zr5Tt6Y1u2I',
  lastPage: '/products/42',
  visits: 17,
}
const plainCookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const fullCookie = () => ({
  originalMaxAge: 1_800_000,
  expires: new Date(Date.now() + 1_800_000).toISOString(),
  secure: true,
  httpOnly: true,
  path: '/',
  sameSite: 'lax',
})

test('each property is one readable field, next to one bookkeeping field', async () => {
  await store.set('s', { cookie: plainCookie, ...nineFields } as never)
  const { '@': bookkeeping, ...properties } = await client.hgetall(`${prefix}s`)
  expect(properties).toEqual(Object.fromEntries(Object.entries(nineFields).map(([k, v]) => [k, JSON.stringify(v)])))
  expect(bookkeeping).toMatch(/^[0-9a-z]+ 0 1ffuo0 1 #3z$/)
})

test.each([
  ['a session cookie', plainCookie],
  ['a full cookie', fullCookie()],
])('a nine-field session with %s stays compact', async (_what, cookie) => {
  await store.set('mine', { cookie, ...nineFields } as never)
  expect(await client.object('ENCODING', `${prefix}mine`)).toBe(COMPACT)
})

test('every bookkeeping field stays under 64 bytes, whatever the cookie holds', async () => {
  const cookie = { ...fullCookie(), domain: `${'sub.'.repeat(60)}example.com`, path: '/ü'.repeat(80), priority: 'high' }
  await store.set('long', { cookie, a: 1 } as never)
  const hash = await client.hgetall(`${prefix}long`)
  const bookkeeping = Object.entries(hash).filter(([field]) => field.startsWith('@'))
  expect(bookkeeping.length).toBeGreaterThan(3)
  for (const [, text] of bookkeeping) expect(Buffer.byteLength(text)).toBeLessThan(64)
  expect((await store.get('long'))?.cookie).toEqual(cookie)
})

test('a cookie that gets shorter leaves no piece of the longer one behind', async () => {
  await store.set('shrink', { cookie: { ...plainCookie, path: '/p'.repeat(100) } } as never)
  const loaded = await store.get('shrink')
  if (loaded === null) throw new Error('lost')
  loaded.cookie.path = '/'
  await store.touch('shrink', loaded)
  expect(Object.keys(await client.hgetall(`${prefix}shrink`))).toEqual(['@'])
  expect((await store.get('shrink'))?.cookie).toEqual(plainCookie)
})

test('hashIds keeps the id out of Redis, and secrets can be rotated', async () => {
  const old = new RedisStore({ client, prefix, hashIds: 'first' })
  await old.set('secret-id', { cookie: plainCookie, user: 'ada' } as never)
  expect((await client.keys(`${prefix}*`)).some((key) => key.includes('secret-id'))).toBe(false)
  const rotated = new RedisStore({ client, prefix, hashIds: ['second', 'first'] })
  expect(await rotated.read('secret-id', ['user'])).toEqual({ user: 'ada' })
  await rotated.destroy('secret-id')
  expect(await old.get('secret-id')).toBeNull()
  const plain = new RedisStore({ client, prefix, hashIds: true })
  expect(await plain.get('secret-id')).toBeNull()
})

test('prefixes are text, not patterns', async () => {
  const glob = new RedisStore({ client, prefix: `${prefix}a*b:` })
  const other = new RedisStore({ client, prefix: `${prefix}aXb:` })
  await other.set('theirs', { cookie: plainCookie } as never)
  await glob.set('mine', { cookie: plainCookie } as never)
  expect(await glob.ids()).toEqual(['mine'])
  await glob.clear()
  expect(await other.ids()).toEqual(['theirs'])
})
