import { connectRedis } from 'connect-redis-hash'
import { Cluster, Redis } from 'ioredis'
import { everythingIn } from '../../support/failure.js'

type Any = Record<string, unknown>

const clients: (Redis | Cluster)[] = []
afterAll(() => {
  for (const client of clients) client.disconnect()
})

const LAZY = { lazyConnect: true }
const SENTINELS = { sentinels: [{ host: '127.0.0.1', port: 26379 }], name: 'mymaster' }

function optionsOf(...args: unknown[]): Any {
  const client = (connectRedis as (...args: unknown[]) => Redis | Cluster)(...args)
  clients.push(client)
  return client.options as unknown as Any
}

const EVERYWHERE = {
  maxRetriesPerRequest: 1,
  commandTimeout: 1000,
  socketTimeout: 2000,
  connectTimeout: 2000,
  disconnectTimeout: 200,
  maxLoadingRetryTime: 500,
  autoResendUnfulfilledCommands: false,
}

describe('what is set', () => {
  test('for one Redis', () => {
    expect(optionsOf('redis://localhost:6379', LAZY)).toMatchObject({
      ...EVERYWHERE,
      enableAutoPipelining: true,
      autoPipeliningIgnoredCommands: expect.arrayContaining(['HGETALL', 'evalsha']),
    })
  })

  test('for Sentinels', () => {
    const options = optionsOf({ ...SENTINELS, ...LAZY })
    expect(options).toMatchObject({ ...EVERYWHERE, failoverDetector: true, sentinelCommandTimeout: 500 })
  })

  test('for a Cluster, where the options of connections are in redisOptions', () => {
    const options = optionsOf(['redis://localhost:7000'], LAZY)
    expect(options).toMatchObject({
      scaleReads: 'master',
      retryDelayOnFailover: 0,
      enableAutoPipelining: false,
      redisOptions: EVERYWHERE,
    })
  })

  test.each([
    ['retryStrategy', () => optionsOf('redis://localhost', LAZY)],
    ['sentinelRetryStrategy', () => optionsOf({ ...SENTINELS, ...LAZY })],
    ['clusterRetryStrategy', () => optionsOf(['redis://localhost'], LAZY)],
  ])('%s: attempts without an end, 50 to 1000 ms apart', (name, make) => {
    const strategy = make()[name] as (times: number) => number
    expect([1, 2, 3, 4, 5, 6, 7, 1_000_000].map(strategy)).toEqual([50, 100, 200, 400, 800, 1000, 1000, 1000])
  })

  test('only READONLY makes it connect again, without sending the command a second time', () => {
    const reconnect = optionsOf('redis://localhost', LAZY).reconnectOnError as (err: Error) => unknown
    expect(reconnect(new Error("READONLY You can't write against a read only replica."))).toBe(1)
    expect(reconnect(new Error('WRONGTYPE'))).toBe(false)
  })
})

describe('what the caller sets wins', () => {
  const own = { commandTimeout: 300, maxRetriesPerRequest: 3, enableOfflineQueue: true, socketTimeout: 5000 }

  test.each([
    ['next to a URL', () => optionsOf('redis://localhost', { ...own, ...LAZY })],
    ['among the options', () => optionsOf({ host: 'localhost', ...own, ...LAZY })],
    ['with Sentinels', () => optionsOf({ ...SENTINELS, ...own, ...LAZY })],
  ])('%s', (_name, make) => {
    expect(make()).toMatchObject({ ...EVERYWHERE, ...own })
  })

  test('next to the nodes of a Cluster', () => {
    const options = optionsOf(['redis://localhost'], {
      ...LAZY,
      scaleReads: 'all',
      redisOptions: { commandTimeout: 300, password: 'p' },
    })
    const connections = { ...EVERYWHERE, commandTimeout: 300, socketTimeout: 600, password: 'p' }
    expect(options).toMatchObject({ scaleReads: 'all', redisOptions: connections })
  })

  test('after the ? of a URL, as the number or boolean it stands for', () => {
    expect(optionsOf('redis://localhost?commandTimeout=300&enableAutoPipelining=false&lazyConnect=1')).toMatchObject({
      commandTimeout: 300,
      enableAutoPipelining: false,
    })
  })

  test('socketTimeout follows a longer commandTimeout', () => {
    expect(optionsOf('redis://localhost', { ...LAZY, commandTimeout: 5000 })).toMatchObject({ socketTimeout: 10_000 })
  })

  test('an option that is undefined takes nothing away', () => {
    expect(optionsOf('redis://localhost', { ...LAZY, commandTimeout: undefined })).toMatchObject(EVERYWHERE)
  })
})

describe('where it connects to', () => {
  test.each([
    ['redis://cache.example', { host: 'cache.example', port: 6379 }],
    ['redis://cache.example:6380/2', { host: 'cache.example', port: 6380, db: 2 }],
    ['redis://:p%40ss@cache.example', { password: 'p@ss' }],
    ['rediss://me:secret@cache.example', { username: 'me', password: 'secret', tls: {} }],
    ['redis://[::1]:6379', { host: '::1' }],
    ['/run/redis.sock', { path: '/run/redis.sock' }],
    [
      '/run/redis.sock?username=me&password=p%40ss&db=2',
      { path: '/run/redis.sock', username: 'me', password: 'p@ss', db: 2 },
    ],
    ['/run/redis.sock?commandTimeout=500', { path: '/run/redis.sock', commandTimeout: 500 }],
  ])('%s', (url, expected) => {
    expect(optionsOf(url, LAZY)).toMatchObject(expected)
  })

  test('TLS options next to a rediss URL stay as they are', () => {
    expect(optionsOf('rediss://localhost', { ...LAZY, tls: { ca: 'c' } })).toMatchObject({ tls: { ca: 'c' } })
  })

  test('the password of a node of a Cluster counts for the nodes that it names, too', () => {
    const options = optionsOf([{ host: 'a.example', port: 7000, password: 'secret' }], LAZY)
    expect(options.redisOptions).toMatchObject({ password: 'secret' })
  })

  test('the user, password and TLS of a Cluster URL count for the nodes that it names, too', () => {
    const client = connectRedis(['rediss://me:secret@a.example:7000', { host: 'b.example' }], LAZY)
    clients.push(client)
    expect(client).toBeInstanceOf(Cluster)
    expect(client.options.redisOptions).toMatchObject({ username: 'me', password: 'secret', tls: {} })
    expect((client as unknown as Any).startupNodes).toEqual([
      { host: 'a.example', port: 7000 },
      { host: 'b.example', port: 6379 },
    ])
  })
})

describe('what it cannot connect to is a TypeError that says what to do', () => {
  test.each([
    [undefined, /a URL .* not undefined: is the environment variable set/],
    [null, /not null/],
    [6379, /not number/],
    [Promise.resolve('redis://localhost'), /not a promise: await it first/],
    [new Map([['host', 'localhost']]), /not a Map/],
    [new URL('redis://localhost'), /not a URL/],
    ['', /must be redis:/],
    ['localhost:6379', /must be redis:/],
    ['http://localhost', /must be redis:/],
    ['redis://localhost/sessions', /number of a database/],
    ['/run/redis.sock?db=two', /"db" in the URL must be a number/],
    ['redis://localhost?commandTimeout=soon', /"commandTimeout" in the URL must be a number/],
    [{ url: 'redis://localhost' }, /"url".*connectRedis\(url/],
    [{ socket: { host: 'localhost' } }, /"socket".*\{ host, port \}/],
    [{ nodes: [] }, /"nodes".*connectRedis\(nodes/],
    [{ sentinels: [], name: 'mymaster' }, /"sentinels" must be a list/],
    [{ sentinels: ['localhost:26379'], name: 'mymaster' }, /"sentinels" must be a list/],
    [{ sentinels: [{ host: 'localhost' }] }, /"name" must be/],
    [[], /at least one node/],
    [[{ port: 7000 }], /node 1 of the Cluster must be a URL or \{ host, port \}/],
    [['redis://localhost', 7000], /node 2 of the Cluster/],
    [['redis://localhost:7000/3'], /node 1 of the Cluster.*no database/],
    [['/run/redis.sock'], /node 1 of the Cluster must have a host/],
    [[{ host: 'localhost', port: 70_000 }], /node 1 of the Cluster/],
  ])('%p', (where, message) => {
    expect(() => optionsOf(where)).toThrow(TypeError)
    expect(() => optionsOf(where)).toThrow(message)
  })

  test('a client', () => {
    const client = new Redis(LAZY)
    clients.push(client)
    expect(() => optionsOf(client)).toThrow(/not a client/)
  })

  test.each(['password', 'tls', 'commandTimeout'])('%s next to the nodes of a Cluster', (name) => {
    const message = new RegExp(`"${name}" of a Cluster goes into redisOptions`)
    expect(() => optionsOf(['redis://localhost'], { [name]: 'x' })).toThrow(message)
  })

  test('options that are none', () => {
    expect(() => optionsOf('redis://localhost', 500)).toThrow(/must be an object/)
  })

  test('and does not repeat the password of the URL', () => {
    expect.assertions(2)
    for (const url of ['redis:me:hush@localhost:6379', 'http://me:hush@localhost']) {
      try {
        optionsOf(url)
      } catch (err) {
        expect(everythingIn(err)).not.toContain('hush')
      }
    }
  })
})
