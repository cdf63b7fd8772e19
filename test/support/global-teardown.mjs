import { rmSync } from 'node:fs'

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
  const refused = log.filter(({ username }) => username === 'sessions')
  if (refused.length > 0) throw new Error(`Redis has refused: ${JSON.stringify(refused)}`)
}
