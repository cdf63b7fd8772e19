import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { RedisStore } from 'connect-redis-hash'
import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import { childScript } from '../support/child-script.js'
import { connect, freshPrefix } from '../support/redis.js'
import { topology } from '../support/topology.js'

const CHILD = childScript('test', 'sockets', 'server.child.ts')
const prefix = freshPrefix()
const client = connect()
const children: ChildProcess[] = []
/** The two processes of one site. */
let here: string
let there: string

async function serverProcess(): Promise<string> {
  const child = spawn(process.execPath, [CHILD, prefix, 'broadcast'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const [port] = await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
  return `127.0.0.1:${Number(port)}`
}

/** Resolves once so many stores listen, before which nothing may end. */
async function listening(count: number, prefix: string): Promise<void> {
  while ((await listeners(prefix)) < count) await new Promise((resolve) => setImmediate(resolve))
}

async function listeners(prefix: string): Promise<number> {
  return Number((await client.pubsub('NUMSUB', `idx:${prefix}@ended`))[1])
}

beforeAll(async () => {
  ;[here, there] = (await Promise.all([serverProcess(), serverProcess()])) as [string, string]
  await listening(2, prefix)
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await new RedisStore({ client, prefix, indexes: { user: () => null } }).clear()
  await client.quit()
})

const get = (host: string, path: string, cookie = '') => fetch(`http://${host}${path}`, { headers: { cookie } })
async function logIn(user: string, query = ''): Promise<string> {
  const response = await get(here, `/login/${user}${query}`)
  return response.headers.getSetCookie()[0]?.split(';')[0] as string
}

/** Opens a socket with this cookie at one process; `ended` is the reason with which it is closed. */
type Open = (host: string, cookie: string) => Promise<{ hello: string; ended: Promise<string> }>

const withWs: Open = async (host, cookie) => {
  const socket = new WebSocket(`ws://${host}/ws`, { headers: { cookie } })
  const ended = new Promise<string>((resolve) => socket.on('close', (_code, reason) => resolve(String(reason))))
  const [hello] = await once(socket, 'message')
  return { hello: String(hello), ended }
}
const withSocketIo: Open = async (host, cookie) => {
  const socket = io(`http://${host}`, { extraHeaders: { cookie }, transports: ['websocket'], reconnection: false })
  const ended = new Promise<string>((resolve) => {
    socket.on('ended', resolve)
  })
  const hello = await new Promise<string>((resolve, reject) => {
    socket.on('hello', (user: string) => resolve(`Hello ${user}`))
    socket.on('connect_error', reject)
  })
  return { hello, ended }
}

describe.each<[string, Open]>([
  ['ws', withWs],
  ['Socket.IO', withSocketIo],
])('a socket of %s, in another process', (_name, open) => {
  test.each<[string, string, (cookie: string) => Promise<unknown>]>([
    ['a logout', 'destroyed', (cookie) => get(here, '/logout', cookie)],
    ['a logout everywhere', 'revoked', () => get(here, '/everywhere/ada')],
    ['a new id, as its user has changed', 'rotated', (cookie) => get(here, '/login/bob', cookie)],
    ['the end of its time', 'expired', () => Promise.resolve()],
  ])('is closed by %s', async (_how, reason, end) => {
    const cookie = await logIn('ada', reason === 'expired' ? '?seconds=2' : '')
    const { hello, ended } = await open(there, cookie)
    expect(hello).toBe('Hello ada')
    await end(cookie)
    expect(await ended).toBe(reason)
  })

  test('stays open when another session of the user ends', async () => {
    const [cookie, other] = [await logIn('ada'), await logIn('ada')]
    const { ended } = await open(there, cookie)
    await get(here, '/logout', other)
    await get(here, '/logout', cookie)
    expect(await ended).toBe('destroyed')
  })

  test('is refused without a cookie, and after the session has ended', async () => {
    await expect(open(there, '')).rejects.toThrow()
    const cookie = await logIn('ada')
    await get(here, '/logout', cookie)
    await expect(open(there, cookie)).rejects.toThrow()
  })
})

describe('store.watch', () => {
  const store = new RedisStore({ client, prefix, ttl: 100 })
  const make = (sid: string) => store.set(sid, { cookie: { originalMaxAge: null }, userId: 'ada' } as never)

  afterEach(() => store.close())

  test('calls back once, also where a session has ended before it is watched', async () => {
    await make('a')
    await store.destroy('a')
    const reasons: string[] = []
    await new Promise<void>((resolve) => {
      store.watch({ id: 'a' }, (reason) => {
        reasons.push(reason)
        resolve()
      })
    })
    await store.destroy('a')
    expect(reasons).toEqual(['expired'])
  })

  test('calls no watcher back that has stopped watching, or whose store is closed', async () => {
    await make('a')
    await make('b')
    const called: string[] = []
    store.watch({ id: 'a' }, () => called.push('a'))()
    store.watch({ id: 'b' }, () => called.push('b'))
    await store.close()
    await store.destroy('a')
    await store.destroy('b')
    expect(called).toEqual([])
  })

  test('takes a renewal of the id for no end', async () => {
    await make('a')
    const ended = new Promise((resolve) => {
      store.watch({ id: `a~r1~${'x'.repeat(22)}` }, resolve)
    })
    await store.destroy('a')
    expect(await ended).toBe('destroyed')
  })

  test.each<[unknown, unknown]>([
    [{ id: '*' }, String],
    [undefined, String],
    [{ id: 'a' }, undefined],
  ])('refuses %j, %p', (held, onEnd) => {
    expect(() => store.watch(held as never, onEnd as never)).toThrow(/^watch takes a session and a function/)
  })
})

test('hostile messages on the channel are nothing to anybody', async () => {
  const prefix = freshPrefix()
  const store = new RedisStore({ client, prefix, broadcast: true })
  try {
    const ended: unknown[] = []
    store.on('ended', (event) => ended.push(event))
    await listening(1, prefix)
    const from = 'x'.repeat(36)
    for (const text of [
      '',
      'x',
      '{}',
      '[]',
      '[1,2]',
      '["h"]',
      '["h","__proto__"]',
      '["h","toString"]',
      '["h","revoked"]',
    ]) {
      await client.publish(`idx:${prefix}@ended`, from + text)
    }
    while (ended.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toEqual([{ handle: 'h', reason: 'revoked' }])
  } finally {
    await store.close()
  }
})

describe('broadcast', () => {
  // Between the nodes of a Cluster, a message may still be on its way when the next test begins.
  let prefix: string
  beforeEach(() => {
    prefix = freshPrefix()
  })

  const make = (store: RedisStore, sid: string) => store.set(sid, { cookie: { originalMaxAge: null } } as never)
  /** Resolves with the first `ended` events of a store. */
  const hear = (store: RedisStore, count: number) =>
    new Promise<string[]>((resolve) => {
      const reasons: string[] = []
      store.on('ended', ({ reason }) => {
        reasons.push(reason)
        if (reasons.length === count) resolve(reasons)
      })
    })

  test('tells this process once, and every other one once', async () => {
    const [one, other] = [
      new RedisStore({ client, prefix, broadcast: true }),
      new RedisStore({ client, prefix, broadcast: true }),
    ]
    try {
      await listening(2, prefix)
      const heard = hear(other, 2)
      await make(one, 'a')
      await make(one, 'b')
      await one.destroy('a')
      await one.destroy('b')
      expect(await heard).toEqual(['destroyed', 'destroyed'])
      // Our own announcements keep their order, so they have come before that of the other store.
      const last = hear(one, 1)
      await make(other, 'c')
      await other.destroy('c')
      await last
      expect([one.counters.ended, other.counters.ended]).toEqual([3, 3])
    } finally {
      await Promise.all([one.close(), other.close()])
    }
  })

  test.each<[string, object]>([
    ['that connects when it is first used', { lazyConnect: true }],
    ['without a queue', { enableOfflineQueue: false }],
  ])('works with a client %s, and goes on after its connection was cut', async (_name, options) => {
    const own = connect(options)
    if (own.status === 'wait') await own.connect()
    else await once(own, 'ready')
    const store = new RedisStore({ client: own, prefix, broadcast: true })
    try {
      await listening(1, prefix)
      // On a Cluster, ioredis reconnects to another node, whose connections must not be cut at the same moment.
      if (topology.nodes === undefined) await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await listening(1, prefix)
      const heard = hear(store, 1)
      const elsewhere = new RedisStore({ client, prefix, broadcast: true })
      await make(elsewhere, 'a')
      await elsewhere.destroy('a')
      expect(await heard).toEqual(['destroyed'])
      await elsewhere.close()
    } finally {
      await store.close()
      own.disconnect()
    }
  })

  test('without it, no process is told, and none listens', async () => {
    const store = new RedisStore({ client, prefix })
    await make(store, 'a')
    await store.destroy('a')
    expect(await listeners(prefix)).toBe(0)
    expect(store.counters.ended).toBe(1)
  })
})
