import { Redis as Upstash } from '@upstash/redis'
import { RedisStore } from 'connect-redis-hash'
import { Cluster, Redis } from 'ioredis'
import RedisMock from 'ioredis-mock'
import Redis4 from 'ioredis4'
import { createClient, createClientPool } from 'redis'
import * as redis3 from 'redis3'
import * as redis4 from 'redis4'
import { connect, connect5 } from './support/redis.js'

const client = connect({ lazyConnect: true })
const make = (options: object) => () => new RedisStore({ client, ...options } as never)

afterAll(() => client.disconnect())

test.each([
  ['client', undefined],
  ['client', null],
  ['client', {}],
  ['client', createClient().legacy()],
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

describe('what is no client that the store knows is named, with what to do instead', () => {
  test.each<[string, () => unknown, RegExp]>([
    ['a URL', () => 'redis://:4711@localhost', /not a URL: connectRedis\(url\)/],
    ['a URL object', () => new URL('redis://:4711@localhost'), /not a URL: connectRedis\(url\)/],
    ['a promise', () => Promise.resolve(client), /not a promise: await it/],
    ['nothing', () => undefined, /not undefined: make the client first/],
    ['the class of ioredis', () => Redis, /not a class or a function: call it first/],
    ['createClient itself', () => createClient, /not a class or a function: call it first/],
    ['a module', () => redis4, /not a module: pass a client of it/],
    ['options', () => ({ host: 'hush', port: 4711 }), /not options: connectRedis\(options\)/],
    ['a pipeline', () => client.pipeline(), /not a pipeline or a transaction/],
    ['a transaction of ioredis', () => client.multi(), /not a pipeline or a transaction/],
    ['a transaction of node-redis', () => createClient().multi(), /not a pipeline or a transaction/],
    ['another store', () => new RedisStore({ client }), /not a session store: pass its client/],
    ['ioredis-mock', () => new RedisMock(), /ioredis-mock: .*a real redis-server/],
    ['a Cluster of ioredis-mock', () => new RedisMock.Cluster(['redis://localhost:7000']), /ioredis-mock: .*real/],
    ['ioredis 4', () => new Redis4({ lazyConnect: true }), /ioredis 4 or older: npm install ioredis@6/],
    [
      'a Cluster of ioredis 4',
      () => new Redis4.Cluster([{ port: 7000 }], { lazyConnect: true }),
      /ioredis 4 or older: npm install ioredis@6/,
    ],
    ['a pool of node-redis', () => createClientPool(), /pool of connections of node-redis: pass what createClient\(\)/],
    ['node-redis 4', () => redis4.createClient(), /node-redis 4 \(the package redis\): npm install redis@6/],
    [
      'node-redis 4 in legacy mode',
      () => redis4.createClient({ legacyMode: true }),
      /legacy mode: npm install redis@6/,
    ],
    ['the legacy interface of node-redis', () => createClient().legacy(), /legacy mode: .*pass createClient/],
    [
      'redis 3',
      () => {
        const old = redis3.createClient({ host: '127.0.0.1', port: 1, retry_strategy: () => undefined })
        old.on('error', () => {})
        return old
      },
      /callbacks, of node-redis 3 or older .*npm install redis@6/,
    ],
    [
      'Valkey GLIDE',
      () => ({ customCommand: async () => null, close: () => {} }),
      /Valkey GLIDE \(@valkey\/valkey-glide\): npm install iovalkey/,
    ],
    [
      "Upstash's client",
      () => new Upstash({ url: 'https://hush-host', token: '4711' }),
      /@upstash\/redis\): npm install ioredis.*rediss:/,
    ],
  ])('%s', (_name, foreign, message) => {
    const failing = make({ client: foreign() })
    expect(failing).toThrow(TypeError)
    expect(failing).toThrow(/^"client" option must be a client of ioredis, iovalkey or node-redis/)
    expect(failing).toThrow(message)
    expect(failing).not.toThrow(/4711|hush/)
  })
})
