import { setTimeout as sleep } from 'node:timers/promises'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { connect, freshPrefix } from '../support/redis.js'
import { sessionApp } from '../support/session-app.js'

const client = connect()
const prefix = freshPrefix()
const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const storeWith = (validate: RedisStoreOptions['validate'] | unknown, more: Partial<RedisStoreOptions> = {}) =>
  new RedisStore({ client, prefix, indexes: { user: (held) => held.userId }, validate: validate as never, ...more })
const plain = storeWith(undefined)

beforeEach(() => plain.set('a', { cookie, userId: 'ada', value: 'x' } as never))
afterEach(() => plain.clear())
afterAll(() => client.quit())

test('true, or a promise of it, lets a session through; it gets the session and its info', async () => {
  const asked: unknown[] = []
  const store = storeWith(async (...args: unknown[]) => asked.push(args) > 0)
  expect(await store.get('a')).toMatchObject({ userId: 'ada' })
  expect(asked).toEqual([[expect.objectContaining({ userId: 'ada' }), await plain.info('a')]])
})

test.each([
  ['false', () => false],
  ['a promise of false', async () => false],
])('%s ends a session, out of its indexes too, and its visitor is anonymous', async (_name, validate) => {
  const store = storeWith(validate)
  const reasons: string[] = []
  store.on('destroyed', ({ reason }) => reasons.push(reason))
  const app = sessionApp(store)
  await app.visit('/show', 'a').expect(200, { hasSession: true, value: null })
  app.close()
  expect(reasons).toEqual(['invalid'])
  expect(await plain.exists('a')).toBe(false)
  expect(await plain.countBy('user', 'ada')).toBe(0)
})

test('a session that has ended is not asked about', async () => {
  const validate = jest.fn(() => true)
  expect(await storeWith(validate).get('gone')).toBeNull()
  expect(validate).not.toHaveBeenCalled()
})

test.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('the database is away')
    },
  ],
  ['rejects', () => Promise.reject(new Error('the database is away'))],
  ['forgets to return', () => undefined],
  ['returns a number', () => 1],
])('a function that %s fails the request, and ends nothing', async (_name, validate) => {
  const store = storeWith(validate)
  const app = sessionApp(store)
  await app.visit('/show', 'a').expect(500)
  app.close()
  expect(await plain.exists('a')).toBe(true)
})

test('a slow function is waited for, and no outage of Redis', async () => {
  const store = storeWith(() => sleep(600, true), { timeout: 500 })
  expect(await store.get('a')).toMatchObject({ userId: 'ada' })
  expect(store.counters.unavailable).toBe(0)
})

test('a session that connect-redis wrote is asked about as well', async () => {
  await client.set(`${prefix}string`, JSON.stringify({ cookie, userId: 'bob' }), 'EX', 600)
  expect(await storeWith((held: { userId: string }) => held.userId !== 'bob').get('string')).toBeNull()
  expect(await client.exists(`${prefix}string`)).toBe(0)
})

test('what is no function is refused', () => {
  expect(() => storeWith(true)).toThrow(/^"validate" option must be a function/)
})
