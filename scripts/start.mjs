// npm start: everything the example app needs, then the example app.
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
    // Its "paths" let the app import the library by its name, from source.
    env: { ...process.env, ...redis, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
    // The channel closes when this process is killed hard, and the app ends with it.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
