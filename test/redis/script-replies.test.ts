import { createServer, type Server, type Socket } from 'node:net'
import { RedisStore, type RedisStoreOptions } from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { failureOf } from '../support/failure.js'
import { firstCommand } from '../support/guarded-line.js'
import { freshPrefix, socketPath } from '../support/redis.js'

/*
 * Answers need not come from Redis: a proxy, or a server that only resembles it, may send them. This server answers
 * scripts with anything.
 */

const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
const path = `${socketPath()}.${process.pid.toString(36)}.foreign`
const sockets = new Set<Socket>()
let answer: string
let server: Server
let client: Redis
let store: RedisStore | undefined

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket)
    let unread = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk])
      for (let command = firstCommand(unread); command !== undefined; command = firstCommand(unread)) {
        unread = unread.subarray(command.bytes)
        socket.write(command.args[0]?.toUpperCase() === 'EVALSHA' ? answer : '+OK\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(path, resolve)
  })
})
beforeEach(() => {
  client = new Redis({ path, enableReadyCheck: false, retryStrategy: null } as never)
})
afterEach(async () => {
  await store?.close()
  client.disconnect()
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
const list = (...parts: string[]) => `*${parts.length}\r\n${parts.join('')}`

const ANSWERS: Record<string, string> = {
  'nothing at all': '*-1\r\n',
  'a status': '+QUEUED\r\n',
  'an empty list': list(),
  'a list that begins with a text': list(bulk('done')),
  'a list that begins with an empty text': list(bulk('')),
  'a list that begins with a list': list(list(':1\r\n')),
  'a code that no script has': list(':99\r\n'),
  'lists in place of texts': list(':1\r\n', list(), list(), list()),
  'nulls in place of texts': list(':1\r\n', '$-1\r\n', '$-1\r\n', '$-1\r\n'),
  'an error in place of a text': list(':1\r\n', '-ERR no\r\n', ':1\r\n'),
  'a text that means nothing': list(':1\r\n', bulk('?'), bulk('?'), bulk('?')),
  'a code alone, without what belongs to it': list(':1\r\n'),
  'a size that is none': list(':8\r\n', bulk('large')),
}

type Work = (on: RedisStore) => Promise<unknown>
const indexes = { user: (held: object) => (held as { user?: string }).user }

const OPERATIONS: [title: string, options: Partial<RedisStoreOptions>, work: Work, means?: string[]][] = [
  ['set', {}, (on) => on.set('a', { cookie, n: 1 } as never)],
  ['patch', {}, (on) => on.patch('a', { n: 1 })],
  ['increment', {}, (on) => on.increment('a', 'n')],
  ['get, where sessions are kept for onEnd', { onEnd: () => undefined }, (on) => on.get('a')],
  ['read of some fields, where sessions are kept for onEnd', { onEnd: () => undefined }, (on) => on.read('a', ['n'])],
  // The session is in no index.
  ['destroy', { indexes }, (on) => on.destroy('a'), ['a code alone, without what belongs to it']],
  ['set of a session that is in an index', { indexes }, (on) => on.set('a', { cookie, user: 'u' } as never)],
  [
    'set of a session whose number is limited',
    { indexes, limit: { index: 'user', max: 1, onExceed: 'reject' } },
    (on) => on.set('a', { cookie, user: 'u' } as never),
  ],
  ['destroyBy', { indexes }, (on) => on.destroyBy('user', 'u')],
]

describe.each(OPERATIONS)('%s', (_title, options, work, means = []) => {
  test.each(Object.keys(ANSWERS).filter((title) => !means.includes(title)))(
    'fails with a coded error that tells nothing, where %s answers',
    async (title) => {
      answer = ANSWERS[title] as string
      store = new RedisStore({ client, prefix: freshPrefix(), timeout: 5000, ...options })

      const failure = await failureOf(work(store))

      expect(failure).toMatchObject({ code: 'ERR_SESSION_REDIS', status: 503 })
      expect(failure?.error.message).toMatch(/^Redis gave an unexpected reply to script [a-z-]+$/)
    },
  )
})
