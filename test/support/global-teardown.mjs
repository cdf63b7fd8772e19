import { rmSync } from 'node:fs'

/** What the health page of adminRouter asks for, too: it says what the user of the application may not look at. */
const ASKED_BY_HEALTH = /^(?:acl|config|latency|slowlog)\b/

export default async function globalTeardown() {
  if (globalThis.testRedis === undefined) return
  const { dir, rigs } = globalThis.testRedis
  if (process.env.TEST_ON === 'acl') await Promise.all(rigs.map(expectNothingRefused))
  for (const rig of rigs) await rig.stop()
  rmSync(dir, { recursive: true, force: true })
}

async function expectNothingRefused(redis) {
  const { Redis } = await import('ioredis')
  const admin = new Redis(redis.options)
  const log = (await admin.call('ACL', 'LOG')).map((entry) =>
    Object.fromEntries(entry.flatMap((x, i) => (i % 2 ? [] : [[x, entry[i + 1]]]))),
  )
  await admin.quit()
  const refused = log.filter(({ username, object }) => username === 'sessions' && !ASKED_BY_HEALTH.test(object))
  if (refused.length > 0) throw new Error(`Redis has refused: ${JSON.stringify(refused)}`)
}
