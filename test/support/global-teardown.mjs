import { rmSync } from 'node:fs'

export default async function globalTeardown() {
  const { dir, rigs = [] } = globalThis.testRedis ?? {}
  for (const rig of rigs) await rig.stop()
  if (dir) rmSync(dir, { recursive: true, force: true })
}
