import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { buildRedis, builtRedis } from './redis-build.mjs'
import { capture, run } from './run.mjs'

const NAMES = ['redis-server', 'valkey-server']

/**
 * Finds a Redis server: the one that REDIS_SERVER_BIN names, else the one on PATH, else one from the system's package
 * manager (as root), else one that is built here.
 *
 * @returns {Promise<string>} absolute path
 */
export async function ensureRedisServer() {
  const named = process.env.REDIS_SERVER_BIN
  // Another server in its place would pass for the one that was asked for.
  if (named && !isExecutable(named)) throw new Error(`REDIS_SERVER_BIN names no program: ${named}`)
  const found = named || findRedisServer()
  if (found) return found
  const isRoot = process.getuid?.() === 0
  const attempts = isRoot ? [installWithPackageManager, buildRedis] : [buildRedis]
  for (const attempt of attempts) {
    await attempt()
    const path = findRedisServer()
    if (path) return path
  }
  throw new Error(HELP)
}

/** @returns {string | undefined} absolute path */
function findRedisServer() {
  const directories = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const candidates = NAMES.flatMap((name) => directories.map((directory) => join(directory, name)))
  return [...candidates, builtRedis].find(isExecutable)
}

/**
 * Tells what a server program is.
 *
 * @param {string} program
 * @returns {Promise<string>} name and version, e.g. `Redis 7.0.15`; what it says itself if that is something else
 */
export async function nameOfServer(program) {
  const { output } = await capture(program, ['--version'])
  const [, name, version] = /^(\w+) server v=([\d.]+)/m.exec(output) ?? []
  return version === undefined ? output.trim() : `${name} ${version}`
}

/** Packages are tried in this order, because their names differ between releases of a system. */
const PACKAGE_MANAGERS = [
  { program: 'apt-get', before: ['update'], installs: [['redis-server'], ['valkey-server']], options: ['-y'] },
  { program: 'apk', installs: [['redis'], ['valkey']], command: 'add', options: ['--no-cache'] },
  { program: 'dnf', installs: [['redis'], ['valkey']], options: ['-y'] },
  { program: 'yum', installs: [['redis'], ['valkey']], options: ['-y'] },
]

async function installWithPackageManager() {
  const manager = PACKAGE_MANAGERS.find(({ program }) => onPath(program))
  if (!manager) return
  console.log(`No redis-server found; installing one with ${manager.program}…`)
  // RUNLEVEL=1 keeps Debian from starting the service; only the program is needed.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  if (manager.before) await run(manager.program, manager.before, { env })
  for (const packages of manager.installs) {
    const args = [manager.command ?? 'install', ...manager.options, ...packages]
    if ((await run(manager.program, args, { env })) === 0) return
  }
}

/** @param {string} program */
function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => isExecutable(join(directory, program)))
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const HELP = `
There is no redis-server (or valkey-server) on this machine and none could be installed: as root, the system's package
manager does it; otherwise it is built from source, which takes make, a C compiler and download.redis.io. Either
  - install one:${process.platform === 'darwin' ? ' brew install redis' : ' package "redis" or "valkey" of your system'}
  - or name a running one, for example:
      docker run --rm -d -p 127.0.0.1:6379:6379 redis:8
      REDIS_URL=redis://127.0.0.1:6379 npm start
`.trim()
