// npm run soak: installs what the soak test needs, then runs it with the given arguments; see test/soak/main.ts.
import { join } from 'node:path'
import { ensureDependencies } from './dependencies.mjs'
import { ensureRedisServer, nameOfServer } from './redis-binary.mjs'
import { root, run } from './run.mjs'

try {
  await ensureDependencies()
  const bin = await ensureRedisServer()
  const env = { ...process.env, REDIS_SERVER_BIN: bin, TEST_SERVER: await nameOfServer(bin) }
  const args = ['--import', 'tsx', join('test', 'soak', 'main.ts'), ...process.argv.slice(2)]
  process.exitCode = await run(process.execPath, args, {
    env: { ...env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
  })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
