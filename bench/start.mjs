// npm run bench: installs the dependencies of the benchmark, packs and installs the library as users get it, and runs
// main.ts.
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureDependencies } from '../scripts/dependencies.mjs'
import { pack } from '../scripts/pack.mjs'
import { ensureRedisServer } from '../scripts/redis-binary.mjs'
import { capture, installed, npm, root, run } from '../scripts/run.mjs'

const bench = dirname(fileURLToPath(import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'bench-'))

process.env.LOAD_BEFORE = String(loadavg()[0])

try {
  await ensureDependencies()
  process.env.REDIS_SERVER_BIN = await ensureRedisServer()
  await quietly('Build', process.execPath, [join(root, 'scripts', 'build.mjs')])
  const tarball = await pack(directory)
  const { program, args } = npm()
  const install = [...args, 'install', '--no-audit', '--no-fund', '--loglevel=error']
  await quietly('npm install', program, install)
  // Install the tarball separately and without saving, because its version and path must not get into the lock file.
  await quietly('npm install of the package', program, [...install, '--no-save', '--no-package-lock', tarball])
  // The measured code runs in plain Node, without a loader and without compiling at run time.
  rmSync(join(bench, 'dist'), { recursive: true, force: true })
  await quietly('Compile', process.execPath, [installed('typescript', 'bin', 'tsc'), '--project', bench])
  const main = join(bench, 'dist', 'bench', 'main.js')
  process.exitCode = await run(process.execPath, [main, ...process.argv.slice(2)])
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}

/**
 * @param {string} title
 * @param {string} program
 * @param {string[]} args
 */
async function quietly(title, program, args) {
  console.error(`${title}…`)
  const { code, output } = await capture(program, args, { cwd: bench })
  if (code !== 0) throw new Error(`${title} failed (exit code ${code}):\n${output}`)
}
