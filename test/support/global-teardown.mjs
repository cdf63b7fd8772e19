import { rmSync } from 'node:fs'

export default async function globalTeardown() {
  const { dir, redis } = globalThis.testRedis ?? {}
  await redis?.stop()
  if (dir) rmSync(dir, { recursive: true, force: true })
}
