import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'

/** One real Redis for the whole run; nothing of it is kept. */
export default async function globalSetup() {
  // Jest's module map, which lets TypeScript import './x.js', does not reach a global set-up.
  const { startRedis } = await tsImport('../../scripts/embedded-redis.ts', import.meta.url)
  const dir = mkdtempSync(join(tmpdir(), 'crh-'))
  const redis = await startRedis({ dir, persistent: false })
  process.env.TEST_REDIS_SOCKET = redis.socketPath
  globalThis.testRedis = { dir, redis }
}
