// npm run test:foreign tries the packed package in other people's hosts and on other runtimes, one program each. `npm
// test` leaves it out, as it installs some 400 MB into .cache/foreign. Arguments choose programs by name.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { ensureDependencies } from '../../scripts/dependencies.mjs'
import { pack } from '../../scripts/pack.mjs'
import { ensureRedisServer } from '../../scripts/redis-binary.mjs'
import { capture, npm, root, run } from '../../scripts/run.mjs'
import { findRuntimes } from './runtimes.mjs'

const source = join(root, 'test', 'foreign')
/** A folder outside of test/, so that neither Jest nor a linter walks through what is installed here. */
const place = join(root, '.cache', 'foreign')
const PROGRAM_TIMEOUT_MS = 180_000

/** Programs that need a newer Node, and below, programs that any runtime should run. */
const NEEDS_NODE = { restify12: 22 }
const ON_EVERY_RUNTIME = ['everything', 'express', 'connect', 'koa', 'fastify-express', 'ws', 'socket.io']
/** When a save fails, Bun's http throws at a header that Fastify has already sent. */
const NOT_ON = { Bun: ['fastify-express'] }

/** Installs the programs, and what they need, beside the package as it would be published. */
async function install() {
  console.log('Installing the hosts…')
  if ((await run(process.execPath, [join(root, 'scripts', 'build.mjs')])) !== 0) throw new Error('the build failed')
  mkdirSync(place, { recursive: true })
  for (const entry of readdirSync(place)) if (entry !== 'node_modules') rmSync(join(place, entry), { recursive: true })
  cpSync(source, place, { recursive: true, filter: (path) => !path.includes('node_modules') })
  for (const page of ['recipes.md', 'testing.md']) cpSync(join(root, 'docs', page), join(place, page))
  const { program, args } = npm()
  const options = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  const tarball = await pack(place)
  const code = await run(program, [...args, 'install', ...options, tarball], { cwd: place })
  if (code !== 0) throw new Error(`npm install failed (exit code ${code}); its messages are above`)
}

/** Finds every hosts/<name>.mjs and hosts/<name>/main.mjs, and those in suites/. */
function programs() {
  const found = []
  for (const folder of ['hosts', 'suites'].map((name) => join(place, name)).filter(existsSync)) {
    for (const entry of readdirSync(folder)) {
      const file = [join(folder, entry), join(folder, entry, 'main.mjs')].find((path) => path.endsWith('.mjs'))
      if (file !== undefined && existsSync(file)) found.push({ name: entry.replace(/\.mjs$/, ''), file })
    }
  }
  return found
}

/** A Redis that keeps nothing, on a port of its own. */
async function startRedis() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()]
  const child = spawn(await ensureRedisServer(), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of child.stdout) if (String(line).includes('Ready to accept connections')) break
  child.stdout.on('data', () => {}).resume()
  return { url: `redis://127.0.0.1:${port}`, stop: () => child.kill('SIGKILL') }
}

/**
 * Whether a runtime runs a program: this Node runs all it can, others those for every runtime, and those that need
 * them.
 */
function isFor({ name }, { isCurrent, node = 0, name: runtime }) {
  if (NOT_ON[runtime]?.includes(name)) return false
  const least = NEEDS_NODE[name]
  if (least !== undefined) return node >= least
  return isCurrent || ON_EVERY_RUNTIME.includes(name)
}

/** @returns {Promise<boolean>} whether it succeeded */
async function tryProgram({ name, file }, runtime, redisUrl) {
  const start = performance.now()
  const env = { ...process.env, REDIS_URL: redisUrl, NODE_ENV: 'test', NODE_NO_WARNINGS: '1' }
  const options = { cwd: place, env, timeout: PROGRAM_TIMEOUT_MS, killSignal: 'SIGKILL' }
  const { code, stdout, output } = await capture(runtime.program, [...runtime.args, relative(place, file)], options)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const versions = code === 0 ? stdout.trim().split('\n').at(-1) : ''
  console.log(`${code === 0 ? '✓' : '✗'} ${runtime.name}: ${name} ${versions} (${seconds} s)`)
  if (code !== 0) console.log(`\n${output.trim().replace(/^/gm, '  ')}\n`)
  return code === 0
}

let failed = 0
try {
  await ensureDependencies()
  await install()
  const wanted = process.argv.slice(2)
  const all = programs().filter(({ name }) => wanted.length === 0 || wanted.includes(name))
  const redis = await startRedis()
  try {
    for (const runtime of await findRuntimes(join(place, 'runtimes'))) {
      if (runtime.missing !== undefined) {
        console.log(`- ${runtime.name}: skipped, ${runtime.missing}`)
        continue
      }
      for (const program of all) {
        if (isFor(program, runtime) && !(await tryProgram(program, runtime, redis.url))) failed += 1
      }
    }
  } finally {
    redis.stop()
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  failed += 1
}
if (failed > 0) console.log(`${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
