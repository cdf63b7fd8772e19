import { RedisStore } from 'connect-redis-hash'
import { Cluster } from 'ioredis'
import { createClient } from 'redis'
import { connect, connect5 } from './support/redis.js'

const client = connect({ lazyConnect: true })
const make = (options: object) => () => new RedisStore({ client, ...options } as never)

afterAll(() => client.disconnect())

test.each([
  ['client', undefined],
  ['client', null],
  ['client', {}],
  ['client', createClient()],
  ['prefix', ''],
  ['prefix', 5],
  ['ttl', 0],
  ['ttl', -1],
  ['ttl', '60'],
  ['ttl', Number.NaN],
  ['ttl', Number.POSITIVE_INFINITY],
  ['touchInterval', -1],
  ['touchInterval', Number.NaN],
  ['disableTouch', 1],
  ['disableTTL', 'yes'],
  ['absoluteTimeout', 0],
  ['hashIds', ''],
  ['hashIds', []],
  ['hashIds', ['ok', '']],
  ['serializer', null],
  ['serializer', { parse: JSON.parse }],
  ['timeout', 0],
  ['timeout', 2 ** 31],
  ['onUnavailable', 'ignore'],
  ['maxBytes', 1.5],
  ['scanCount', 0],
  ['cache', true],
  ['cache', {}],
  ['cache', { max: 10 }],
  ['cache', { maxAge: 10 }],
  ['cache', { max: 0, maxAge: 10 }],
  ['cache', { max: 1.5, maxAge: 10 }],
  ['cache', { max: 10, maxAge: 0 }],
  ['cache', { max: 10, maxAge: Number.POSITIVE_INFINITY }],
  ['cache', { max: 10, maxAge: 10, ttl: 10 }],
])('option %s = %p throws a TypeError that names it', (name, value) => {
  expect(make({ [name]: value })).toThrow(TypeError)
  expect(make({ [name]: value })).toThrow(new RegExp(`^"${name}" option must be `))
})

test('an option that does not exist throws a TypeError that names it', () => {
  expect(make({ tll: 60 })).toThrow(new TypeError('RedisStore has no option "tll"'))
  expect(make({ constructor: 1 })).toThrow('RedisStore has no option "constructor"')
})

test('no options at all throws a TypeError that shows what to write', () => {
  expect(() => new (RedisStore as unknown as new () => RedisStore)()).toThrow(/new RedisStore\({ client/)
})

test('absoluteTimeout together with disableTTL throws, as only a TTL can enforce it', () => {
  expect(make({ absoluteTimeout: 60, disableTTL: true })).toThrow(/"absoluteTimeout".*"disableTTL"/)
})

test('undefined means the default, for every option', () => {
  const names = ['prefix', 'ttl', 'touchInterval', 'disableTouch', 'hashIds', 'serializer', 'timeout', 'maxBytes']
  expect(make(Object.fromEntries(names.map((name) => [name, undefined])))).not.toThrow()
})

test('clients of ioredis 5 and 6 and Cluster clients are accepted', () => {
  const five = connect5({ lazyConnect: true })
  const cluster = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true })
  expect(make({ client: five })).not.toThrow()
  expect(make({ client: cluster })).not.toThrow()
  five.disconnect()
  cluster.disconnect()
})
