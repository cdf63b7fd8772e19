import type { Redis } from 'ioredis'
import { clientOf } from '../../src/redis/clients/client-of.js'
import { Keys } from '../../src/redis/keys.js'
import { scanStoredIds } from '../../src/redis/scan.js'
import { privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'

const COUNT = 20_000
const within = <T>(work: Promise<T>) => work
const tableBytes = async (admin: Redis) => {
  const stats = (await admin.memory('STATS')) as unknown[]
  const db = stats[stats.indexOf('db.0') + 1] as unknown[]
  return Number(db[1])
}

test('while Redis shrinks its table, where SCAN repeats keys, each session comes once, and none is left out', async () => {
  const redis = await privateRedis()
  const { admin } = redis
  const all = Array.from({ length: COUNT }, (_, i) => `id-${i}`)
  for (let at = 0; at < COUNT; at += 1000) {
    const pipeline = admin.pipeline()
    for (const id of all.slice(at, at + 1000)) pipeline.set(`sess:${id}`, 'x')
    await pipeline.exec()
  }
  const found: string[] = []
  let isShrunk = false
  let kept: string[] = []
  for await (const page of scanStoredIds(clientOf(admin, 1000), new Keys('sess:'), 10, within as never)) {
    found.push(...page)
    if (isShrunk || found.length < COUNT / 4) continue
    // What has been found last stays: that is what Redis finds again.
    kept = [...found.slice(-60), ...all.slice(0, 300)]
    const gone = all.filter((id) => !kept.includes(id))
    const before = await tableBytes(admin)
    for (let at = 0; at < gone.length; at += 1000) {
      await admin.del(...gone.slice(at, at + 1000).map((id) => `sess:${id}`))
    }
    await until('the table is smaller', async () => (await tableBytes(admin)) < before / 4)
    isShrunk = true
  }
  expect(found).toHaveLength(new Set(found).size)
  expect(kept.filter((id) => !found.includes(id))).toEqual([])
  await redis.stop()
})
