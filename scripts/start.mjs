// npm start: installs what the example app needs, then runs it.
import { join } from 'node:path'
import { ensureDependencies } from './dependencies.mjs'
import { endWithNpm } from './end-with-npm.mjs'
import { ensureRedisServer } from './redis-binary.mjs'
import { root, run } from './run.mjs'

endWithNpm()
try {
  await ensureDependencies()
  const redis = process.env.REDIS_URL ? {} : { REDIS_SERVER_BIN: await ensureRedisServer() }
  process.exitCode = await run(process.execPath, ['--import', 'tsx', join('example-app', 'main.ts')], {
    // The "paths" of this file let the app import the library by its name, from source.
    env: { ...process.env, ...redis, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
    // The channel closes even if this process is killed, and the app ends with it.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
