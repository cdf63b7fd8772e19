import { once } from 'node:events'
import { get as httpGet, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connectRedis, RedisStore, type SessionContent } from 'connect-redis-hash'
import { sessionMetrics } from 'connect-redis-hash/prometheus'
import { Redis } from 'ioredis'
import * as iovalkey from 'iovalkey'
import { Registry } from 'prom-client'
import { createClient, createCluster, createSentinel } from 'redis'
import request from 'supertest'
import { handleOf } from '../../src/ids/handle.js'
import { makeUser } from '../support/acl-user.js'
import { DEPLOYMENTS, type Deployment } from '../support/deployments.js'
import { SETTINGS, SOCKET } from '../support/node-redis.js'
import { until } from '../support/until.js'
import { JSON_ONLY, MOUNT, SAME_ORIGIN, site } from './site.js'

/** A client as an application has it, and how it is closed. */
interface Opened {
  client: object
  close(): unknown
}
type Open = (at: Deployment) => Opened | Promise<Opened>

const USER = { username: 'app', password: 'secret' }
const hosts = ({ nodes }: Deployment) => nodes.map(({ address }) => address)
const onPort = ({ nodes }: Deployment) => nodes[0]?.port as number
const sentinelsOf = ({ env }: Deployment) =>
  (env.SENTINELS ?? '').split(' ').map((one) => ({ host: '127.0.0.1', port: Number(one.split(':')[1]) }))

function ofIoredis(client: Pick<Redis, 'disconnect' | 'on'>): Opened {
  client.on('error', () => {})
  return { client, close: () => client.disconnect() }
}

async function ofNodeRedis(client: object): Promise<Opened> {
  const { on, connect, destroy } = client as Record<string, (...args: unknown[]) => unknown>
  on?.call(client, 'error', () => {})
  await connect?.call(client)
  return { client, close: () => destroy?.call(client) }
}

/** Makes the user that `doctor --acl --admin` describes on every server. */
async function withUser(at: Deployment): Promise<void> {
  for (const { port } of at.nodes) {
    const admin = new Redis({ port })
    const isCluster = at.nodes.length > 2
    await makeUser(admin, { name: USER.username, password: USER.password, isAdmin: true, isCluster })
    admin.disconnect()
  }
}

const CLIENTS: [kind: keyof typeof DEPLOYMENTS, name: string, open: Open][] = [
  [
    'one Redis',
    'node-redis',
    (at) => ofNodeRedis(createClient({ ...SETTINGS, socket: { ...SOCKET, port: onPort(at) } })),
  ],
  ['one Redis', 'iovalkey', (at) => ofIoredis(new iovalkey.Redis({ port: onPort(at) }) as never)],
  [
    'one Redis',
    'ioredis, as the user of doctor --acl --admin',
    async (at) => {
      await withUser(at)
      return ofIoredis(new Redis({ port: onPort(at), ...USER }))
    },
  ],
  ['Sentinels', 'ioredis', (at) => ofIoredis(at.connect())],
  [
    'Sentinels',
    'node-redis',
    (at) =>
      ofNodeRedis(
        createSentinel({
          name: 'mymaster',
          sentinelRootNodes: sentinelsOf(at),
          nodeClientOptions: { ...SETTINGS, socket: SOCKET },
        }),
      ),
  ],
  ['a Cluster', 'ioredis', (at) => ofIoredis(at.connect())],
  [
    'a Cluster',
    'ioredis, as the user of doctor --acl --admin',
    async (at) => {
      await withUser(at)
      return ofIoredis(connectRedis(hosts(at), { redisOptions: USER }) as never)
    },
  ],
  ['a Cluster', 'iovalkey', (at) => ofIoredis(new iovalkey.Cluster(hosts(at)) as never)],
  [
    'a Cluster',
    'node-redis',
    (at) =>
      ofNodeRedis(
        createCluster({
          rootNodes: hosts(at).map((socket) => ({ socket })),
          defaults: { ...SETTINGS, socket: SOCKET },
        }),
      ),
  ],
]

const COUNT = 60
const indexes = { user: (held: SessionContent) => held.userId }

describe.each(Object.entries(DEPLOYMENTS))('%s', (kind, make) => {
  let at: Deployment
  beforeAll(async () => {
    at = await make()
  })
  afterAll(() => at.stop())

  describe.each(CLIENTS.filter(([of]) => of === kind))('%s, %s', (_kind, _name, open) => {
    let opened: Opened
    let store: RedisStore
    let server: Server
    const register = new Registry()
    const get = (path: string) =>
      request(server)
        .get(`${MOUNT}/${path}`)
        .set({ Cookie: 'admin=grace', ...JSON_ONLY })
    const post = (path: string, body: object = {}) =>
      request(server)
        .post(`${MOUNT}/${path}`)
        .set({ Cookie: 'admin=grace', ...SAME_ORIGIN })
        .send(body)

    beforeAll(async () => {
      opened = await open(at)
      const options = { client: opened.client, indexes, activity: true, broadcast: true, timeout: 5000 }
      store = new RedisStore(options as never) as RedisStore
      sessionMetrics(store, { register })
      server = site(store)
    })
    afterAll(async () => {
      server.closeAllConnections()
      server.close()
      await store.close()
      await opened.close()
    })
    beforeEach(async () => {
      await store.clear()
      await store.set('bob', { userId: 'bob' } as never)
      for (let i = 1; i < COUNT; i++) await store.set(`ada-${i}`, { userId: 'ada' } as never)
    })

    test('all sessions are listed on pages, each once; those of a user, and one, are found', async () => {
      const pages = [await get('sessions').expect(200), await get('sessions?page=2').expect(200)]
      expect(pages.map(({ body }) => [body.sessions.length, body.total, body.complete])).toEqual([
        [50, COUNT, true],
        [COUNT - 50, COUNT, true],
      ])
      const handles = pages.flatMap(({ body }) => body.sessions.map(({ handle }: { handle: string }) => handle))
      expect(new Set(handles).size).toBe(COUNT)
      expect((await get('sessions?index=user&value=bob')).body).toMatchObject({ total: 1, complete: true })
      const { body } = await get(`sessions/${handleOf('bob')}`).expect(200)
      expect(body).toMatchObject({ indexes: { user: ['bob'] }, properties: { userId: 5 } })
      expect(await store.find(handleOf('bob'))).toMatchObject({ handle: handleOf('bob') })
    })

    test('one, those of a user, and all are ended', async () => {
      expect((await post(`sessions/${handleOf('bob')}/end`).expect(200)).body).toEqual({ ended: 1 })
      const of = { index: 'user', value: 'ada' }
      await store.set('carol', { userId: 'carol' } as never)
      expect((await post('end', of).expect(200)).body).toEqual({ ended: COUNT - 1, complete: true })
      expect(await store.ids()).toEqual(['carol'])
      expect((await post('end', { all: true }).expect(200)).body).toEqual({ ended: 1, complete: true })
      expect(await store.length()).toBe(0)
    })

    test('stats, activity, health and metrics tell of all servers', async () => {
      // Activity is what visitors do.
      for (const sid of ['bob', 'ada-1']) await store.get(sid)
      const { body: stats } = await get('stats').expect(200)
      const user = { sessions: COUNT, values: 2 }
      expect(stats).toMatchObject({ sessions: COUNT, complete: true, indexes: { user } })
      const { body: activity } = await get('activity?step=day').expect(200)
      expect(activity.points.at(-1)).toMatchObject({ users: 2 })
      const { body: health } = await get('health').expect(200)
      expect(health.servers).toHaveLength((await at.masters()).length)
      for (const { findings } of health.servers) {
        expect(findings.length).toBeGreaterThan(5)
        expect(findings.map(({ what }: { what: string }) => what)).not.toContain('it does not answer')
      }
      const text = await register.metrics()
      expect(text).toMatch(/^session_store_available 1$/m)
      expect(text).toMatch(/^session_store_active\{kind="users",step="day"\} 2$/m)
      expect(text).toMatch(/^session_store_operations_total\{operation="set",outcome="ok"\} [1-9]/m)
      expect(text).toMatch(/^session_store_side_connections_up\{kind="broadcast"\} 1$/m)
    })

    test('the live feed tells of sessions on every master', async () => {
      const { port } = server.address() as AddressInfo
      const headers = { Cookie: 'admin=grace', Accept: 'text/event-stream' }
      const sent = httpGet({ port, path: `${MOUNT}/events`, headers })
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.on('error', () => undefined)
      const sids = Array.from({ length: 12 }, (_, i) => `feed-${i}`)
      let n = 0
      // From the first news of each on, Redis reports changes.
      await until('changes are told', async () => {
        for (const sid of sids) await store.set(sid, { userId: 'eve', n: ++n } as never)
        return sids.every((sid) => text.includes(handleOf(sid)))
      })
      expect(await store.destroyBy('user' as never, 'eve')).toBe(sids.length)
      const isEnded = (sid: string) => text.includes(`"event":"ended","handle":"${handleOf(sid)}"`)
      await until('all ends are told', () => sids.every(isEnded))
      response.destroy()
    })
  })
})
