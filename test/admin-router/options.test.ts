import { adminRouter, RedisStore } from 'connect-redis-hash'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect({ lazyConnect: true })
const store = new RedisStore({ client, prefix: freshPrefix() })
const authorize = () => 'grace'

afterAll(() => client.disconnect())

test.each<[string, unknown, RegExp]>([
  ['no options', undefined, /^adminRouter takes an options object/],
  ['no store', { authorize }, /^"store" option must be a RedisStore/],
  ['a store of another library', { store: {}, authorize }, /^"store" option/],
  ['no authorize', { store }, /^"authorize" option must be a function/],
  ['authorize: true', { store, authorize: true }, /^"authorize" option must be a function/],
  ['a mistyped name', { store, authorize, readonly: true }, /^adminRouter has no option "readonly"/],
  ['readOnly as text', { store, authorize, readOnly: 'yes' }, /^"readOnly" option/],
  ['showValue as a list', { store, authorize, showValue: ['cart'] }, /^"showValue" option/],
  ['audit as an object', { store, authorize, audit: console }, /^"audit" option/],
  ['a base at another site', { store, authorize, base: '//evil.example' }, /^"base" option/],
  ['a base with a backslash', { store, authorize, base: '/\\evil.example' }, /^"base" option/],
  ['a base without a slash', { store, authorize, base: 'admin' }, /^"base" option/],
  ['a base with a query', { store, authorize, base: '/a?b' }, /^"base" option/],
])('%s: a TypeError that names the option', (_what, options, message) => {
  const call = () => adminRouter(options as never)
  expect(call).toThrow(TypeError)
  expect(call).toThrow(message)
})

test('the router is a middleware with its name', () => {
  expect(adminRouter({ store, authorize }).name).toBe('adminRouter')
})
