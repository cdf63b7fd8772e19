import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { clientOf } from '../../../src/redis/clients/client-of.js'
import { expectNoSecrets, failureOf } from '../../support/failure.js'
import { type PrivateRedis, privateRedis } from '../../support/private-redis.js'
import { ANY_CHANNEL } from '../../support/server.js'
import { until } from '../../support/until.js'

let redis: PrivateRedis
const clients: Redis[] = []
const errors: Error[] = []

beforeAll(async () => {
  redis = await privateRedis()
  for (const name of ['ada', 'bob'])
    await redis.admin.call('ACL', 'SETUSER', name, 'on', `>of-${name}`, '~*', ...ANY_CHANNEL, '+@all')
  await redis.admin.config('SET', 'requirepass', 'of-default')
})
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect()
  errors.length = 0
})
afterAll(() => redis.stop())

type Options = NonNullable<Parameters<typeof connectRedis>[1]> & object

function connect(credentials: unknown, options: object = {}): Redis {
  const client = connectRedis(redis.socketPath, { credentials, ...options } as Options)
  client.on('error', (err) => errors.push(err))
  clients.push(client)
  return client
}

const ada = { username: 'ada', password: 'of-ada' }
const bob = { username: 'bob', password: 'of-bob' }
const whoami = (client: Redis) => client.call('ACL', 'WHOAMI')
const kill = async (client: Redis) => {
  const closed = new Promise((resolve) => client.once('close', resolve))
  await redis.admin.call('CLIENT', 'KILL', 'ID', String(await client.client('ID')))
  await closed
}

test.each([
  ['a promise', async () => ada],
  ['at once', () => ada],
])('the function returns %s: the client logs in with that', async (_how, credentials) => {
  expect(await whoami(connect(credentials))).toBe('ada')
})

test('several clients with one function connect at the same time: it is called once', async () => {
  let asked = 0
  const get = async () => {
    asked += 1
    return ada
  }
  const several = [connect(get), connect(get), connect(get)]
  expect(await Promise.all(several.map(whoami))).toEqual(['ada', 'ada', 'ada'])
  expect(asked).toBe(1)
})

test('without a user name: the client is the default user', async () => {
  expect(await whoami(connect(() => ({ password: 'of-default' })))).toBe('default')
})

test('the function is called again before each attempt to connect', async () => {
  let now = ada
  let asked = 0
  const client = connect(() => {
    asked += 1
    return now
  })
  expect([await whoami(client), asked]).toEqual(['ada', 1])
  now = bob
  await kill(client)
  await until('it is connected again', () => whoami(client).catch(() => undefined))
  expect([await whoami(client), asked]).toEqual(['bob', 2])
})

test('nothing is asked before a lazy client connects', async () => {
  let asked = 0
  const get = () => {
    asked += 1
    return ada
  }
  const client = connect(get, { lazyConnect: true })
  await sleep(20)
  expect(asked).toBe(0)
  await client.connect()
  expect([await whoami(client), asked]).toEqual(['ada', 1])
})

test('credentials that are about to expire: open connections log in anew, and stay open', async () => {
  let asked = 0
  const client = connect(() => {
    asked += 1
    return asked === 1 ? { ...ada, expiresAt: new Date(Date.now() + 2000) } : bob
  })
  let connections = 0
  client.on('ready', () => {
    connections += 1
  })
  await until('it has logged in anew', async () => (await whoami(client)) === 'bob')
  expect([connections, asked]).toEqual([1, 2])
  expect(errors).toEqual([])
})

test('the function fails before the last credentials expire: said, and those are used', async () => {
  let asked = 0
  const client = connect(() => {
    asked += 1
    if (asked > 1) throw new Error('no token today')
    return { ...ada, expiresAt: Date.now() + 3_600_000 }
  })
  expect(await whoami(client)).toBe('ada')
  await kill(client)
  await until('it is connected again', () => whoami(client).catch(() => undefined))
  expect(errors.map(({ message }) => message)).toContain('no token today')
  expect(client.status).toBe('ready')
})

test('the function fails at first: said, tried again, and requests fail without its message meanwhile', async () => {
  let asked = 0
  const client = connect(async () => {
    asked += 1
    if (asked < 3) throw new Error('the secret is s3cr3t')
    return ada
  })
  const store = new RedisStore({ client, timeout: 500 })
  const failure = await failureOf(store.length())
  expect(failure).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
  expectNoSecrets(failure?.error, ['s3cr3t'])
  await until('it is connected', () => whoami(client).catch(() => undefined))
  expect([asked, errors.length]).toEqual([3, 2])
})

test('the function never answers: said after 10 seconds, and called again', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'performance', 'Date'] })
  try {
    let asked = 0
    const client = connect(() => {
      asked += 1
      return asked === 1 ? new Promise(() => {}) : ada
    })
    await until('it is asked', () => asked === 1)
    await jest.advanceTimersByTimeAsync(9999)
    expect([asked, errors]).toEqual([1, []])
    await jest.advanceTimersByTimeAsync(1)
    expect(errors.map(({ message }) => message)).toEqual([
      'the "credentials" function has not returned within 10 seconds',
    ])
    // The delay before the next attempt is over then. More would be time that Redis has for its answers.
    await jest.advanceTimersByTimeAsync(1000)
    await until('it is connected', () => client.status === 'ready')
    expect([await whoami(client), asked]).toEqual(['ada', 2])
  } finally {
    jest.useRealTimers()
  }
})

test.each([
  ['nothing', undefined],
  ['a text', 'of-ada'],
  ['no password', { username: 'ada' }],
  ['an empty password', { username: 'ada', password: '' }],
  ['an empty user name', { username: '', password: 'of-ada' }],
  ['a date that is none', { ...ada, expiresAt: new Date('soon') }],
])(
  'the function returns %s: an error that says what it must return, without what it has returned',
  async (_what, value) => {
    connect(() => value)
    await until('it has been said', () => errors.length > 0)
    expect(errors[0]).toBeInstanceOf(TypeError)
    expect(errors[0]?.message).toMatch(/"credentials" function must return \{ username, password, expiresAt \}/)
    expect(errors[0]?.message).not.toContain('of-ada')
  },
)

test('a client that is closed while the function is thinking does not connect afterwards', async () => {
  let answer = (_credentials: object) => {}
  let asked = 0
  const client = connect(() => {
    asked += 1
    return new Promise<object>((resolve) => {
      answer = resolve
    })
  })
  await until('it is connecting', () => client.status === 'connecting')
  const ended = new Promise((resolve) => client.once('end', resolve))
  client.disconnect()
  answer(ada)
  await ended
  expect(String(await redis.admin.client('LIST'))).not.toContain('user=ada')
  expect(asked).toBe(1)
})

test('a client that was closed while the function was thinking: told to connect again, it does, and stays connected', async () => {
  let asked = 0
  const client = connect(() => {
    asked += 1
    return asked === 1 ? new Promise(() => {}) : ada
  })
  await until('it is connecting', () => client.status === 'connecting')
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const ended = new Promise((resolve) => client.once('end', resolve))
  client.disconnect()
  await ended
  await until('what waits for the function does not keep the process', () => timers() < before)
  await client.connect()
  await kill(client)
  expect(await whoami(client).catch(() => undefined)).toBeUndefined()
  await until('it is back', () => whoami(client).catch(() => undefined))
  expect(asked).toBe(3)
})

test('a client that is closed and told to connect again at once: the attempt before has no part in the next one', async () => {
  const answers: ((credentials: object) => void)[] = []
  const client = connect(() => new Promise<object>((resolve) => answers.push(resolve)), { lazyConnect: true })
  const first = client.connect().catch(() => undefined)
  await until('it is asked', () => answers.length === 1)
  client.disconnect()
  // Its event `end` is still to come.
  await first
  const second = client.connect()
  await until('it is asked again', () => answers.length === 2)
  answers[1]?.({ ...ada, expiresAt: Date.now() + 60_000 })
  await second
  answers[0]?.(bob)
  await nextTurn()
  expect([await whoami(client), client.options.username]).toEqual(['ada', 'ada'])
})

test('attempts of the application beside those of the client: none goes on after disconnect', async () => {
  let asked = 0
  const client = connect(() => {
    asked += 1
    throw new Error('no login')
  })
  await until('an attempt has failed', () => asked > 0 && client.status === 'end')
  await client.connect().catch(() => undefined)
  await nextTurn()
  client.disconnect()
  const before = asked
  await sleep(1000)
  expect(asked).toBe(before)
})

test('a client that is closed while it waits to connect again: told to connect, it is there for the store, too', async () => {
  const other = await privateRedis()
  const client = connectRedis(other.socketPath, { retryStrategy: () => 60_000 })
  client.on('error', () => {})
  clients.push(client)
  await client.ping()
  await other.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await until('it waits', () => client.status === 'reconnecting')
  client.disconnect()
  await client.connect()
  expect(clientOf(client, 1000).isClosed).toBe(false)
  client.disconnect()
  await other.stop()
})

test.each([
  ['quit', (client: Redis) => client.quit().catch(() => undefined)],
  ['disconnect', async (client: Redis) => client.disconnect()],
])('after %s between two attempts, there is no other attempt', async (_how, close) => {
  let asked = 0
  const client = connect(() => {
    asked += 1
    throw new Error('no login')
  })
  await until('two attempts have failed', () => asked === 2 && client.status === 'end')
  await close(client)
  // Without that, the next attempt would come after a tenth of a second.
  await sleep(1000)
  expect(asked).toBe(2)
})

test('a client that is closed while the function is thinking about the next credentials: it is not called again', async () => {
  let answer = (_credentials: object) => {}
  let asked = 0
  const client = connect(() => {
    asked += 1
    if (asked === 1) return { ...ada, expiresAt: Date.now() }
    return new Promise<object>((resolve) => {
      answer = resolve
    })
  })
  await whoami(client)
  await until('it is asked for the next ones', () => asked === 2)
  const ended = new Promise((resolve) => client.once('end', resolve))
  client.disconnect()
  await ended
  answer({ ...ada, expiresAt: Date.now() })
  // With a connection, it would be called again after a second.
  await sleep(1500)
  expect(asked).toBe(2)
})

test.each([
  [
    'no function',
    () => connectRedis(redis.socketPath, { credentials: ada } as never),
    /"credentials" must be a function/,
  ],
  [
    'a password as well',
    () => connectRedis({ port: 1, password: 'x', credentials: () => ada }),
    /"password" must be left out/,
  ],
  [
    'a URL with a user',
    () => connectRedis('redis://ada@localhost:1', { credentials: () => ada }),
    /"username" must be left out/,
  ],
  [
    'a Cluster with a password as well',
    () => connectRedis(['redis://:x@localhost:1'], { credentials: () => ada }),
    /"password" must be left out/,
  ],
])('%s: refused', (_what, make, message) => {
  expect(make).toThrow(message)
})
