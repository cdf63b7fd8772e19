import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectRedis, RedisStore } from 'connect-redis-hash'
import type { Redis } from 'ioredis'
import { freePorts, RedisNode } from '../support/redis-node.js'
import { traffic } from '../support/traffic.js'
import { until } from '../support/until.js'

// A Redis with an append-only file is killed in the middle of traffic. With `appendfsync always`, what it has confirmed
// is there when it is back.

const dir = mkdtempSync(join(tmpdir(), 'crh-aof-'))
let redis: RedisNode
let client: Redis

beforeAll(async () => {
  const [port] = (await freePorts(1)) as [number]
  const aof = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
  redis = new RedisNode(dir, port, aof)
  await redis.start()
  client = connectRedis(`redis://127.0.0.1:${port}`)
  client.on('error', () => {})
})
afterAll(async () => {
  client.disconnect()
  await redis.kill()
  rmSync(dir, { recursive: true, force: true })
})

test('killed in the middle of traffic, and back with its append-only file: nothing confirmed is lost, nothing ended is back', async () => {
  const store = new RedisStore({ client, touchInterval: 0, indexes: { user: (held) => held.userId as string } })
  const saved = new Map<string, number>()
  const ended: string[] = []
  for (let i = 0; i < 20; i++)
    await store.set(`sid-${i}`, { userId: `u${i}`, cookie: { originalMaxAge: null } } as never)
  const visiting = traffic(async (i) => {
    const sid = `sid-${i % 20}`
    const loaded = await store.get(sid)
    await store.set(sid, Object.assign(loaded as object, { [`visit${i}`]: i }) as never)
    saved.set(`${sid} visit${i}`, i)
    await store.set(`short-${i}`, { userId: 'short', cookie: { originalMaxAge: null } } as never)
    if (i % 2 === 0) await store.destroy(`short-${i}`)
    else await store.destroyBy('user', 'short')
    ended.push(`short-${i}`)
  })
  for (let round = 0; round < 3; round++) {
    await visiting.goesWell(20)
    await redis.kill()
    await until('requests fail', () => visiting.failures.length > 0)
    await redis.start()
    await visiting.goesWell(20)
  }
  const { failures } = await visiting.stop()
  for (const { code } of failures) expect(code).toMatch(/^ERR_SESSION_(UNAVAILABLE|TIMEOUT)$/)

  expect(saved.size).toBeGreaterThan(60)
  for (const [name, i] of saved) {
    const [sid = '', property = ''] = name.split(' ')
    expect([name, await store.read(sid, [property])]).toEqual([name, { [property]: i }])
  }
  const left = await Promise.all(ended.map(async (sid) => ((await store.exists(sid)) ? sid : [])))
  expect(left.flat()).toEqual([])
  const keys = await client.keys('sess:*')
  const ttls = await Promise.all(keys.map((key) => client.pttl(key)))
  expect(ttls.filter((ttl) => ttl === -1)).toEqual([])
})
