import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { npm, root, run } from './run.mjs'

/** The version is exact, because `BUILD` loads a file inside the package. */
const PACKAGE = 'redis-memory-server@0.17.1'
const VERSION = 'stable'

const directory = join(root, '.cache', 'redis')

/** Path of the program that redis-memory-server builds. */
export const builtRedis = join(directory, 'binaries', VERSION, 'redis-server')

const BUILD = `
  require('redis-memory-server/lib/util/RedisBinary').default.getPath().catch((error) => {
    console.error(error.message)
    process.exitCode = 1
  })`

/** Downloads and compiles Redis with the npm package redis-memory-server, which needs make and a C compiler. */
export async function buildRedis() {
  console.log('No redis-server found; building one with redis-memory-server (takes some minutes, once)…')
  mkdirSync(directory, { recursive: true })
  // A separate package.json, because the library itself does not depend on this package.
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n')
  const env = {
    ...process.env,
    REDISMS_DISABLE_POSTINSTALL: '1',
    REDISMS_DOWNLOAD_DIR: join(directory, 'binaries'),
    REDISMS_VERSION: VERSION,
    // Without this the package does not check the certificate of the server that it downloads from.
    npm_config_strict_ssl: 'true',
  }
  const { program, args } = npm()
  const options = { cwd: directory, env }
  const install = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', PACKAGE]
  if ((await run(program, [...args, ...install], options)) !== 0) return
  await run(process.execPath, ['--eval', BUILD], options)
}
