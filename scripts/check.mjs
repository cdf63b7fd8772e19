// npm run check: everything but the tests. Says one line per check, and what a check printed only when it failed.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConsumers } from './consumers.mjs'
import { ensureDependencies } from './dependencies.mjs'
import { pack } from './pack.mjs'
import { capture, installed } from './run.mjs'

/**
 * A check that runs a program of this repository's dependencies.
 * @param {string[]} program below node_modules
 * @param {string[]} args
 */
const program =
  (program, ...args) =>
  () =>
    node(installed(...program), ...args)

/**
 * @param {...string} args
 * @returns {Promise<string | undefined>} its output when it failed
 */
async function node(...args) {
  const { code, output } = await capture(process.execPath, args, { env: { ...process.env, NO_COLOR: '1' } })
  return code === 0 ? undefined : output || `exit code ${code}`
}

const promiseRules = ['-D', 'typescript/no-floating-promises', '-D', 'typescript/no-misused-promises']
const directory = mkdtempSync(join(tmpdir(), 'check-'))
let tarball = ''

/** @type {[string, () => Promise<string | undefined | void>][]} */
const checks = [
  ['format and lint (biome)', program(['@biomejs', 'biome', 'bin', 'biome'], 'ci', '--error-on-warnings')],
  ['types (tsc)', program(['typescript', 'bin', 'tsc'], '--noEmit')],
  ['promises (oxlint)', program(['oxlint', 'bin', 'oxlint'], '--type-aware', '--deny-warnings', ...promiseRules)],
  ['build', () => node(join(import.meta.dirname, 'build.mjs'))],
  [
    'pack',
    async () => {
      tarball = await pack(directory)
    },
  ],
  ['package.json (publint)', () => node(installed('publint', 'src', 'cli.js'), 'run', tarball, '--strict')],
  ['published types (attw)', () => node(installed('@arethetypeswrong', 'cli', 'dist', 'index.js'), tarball)],
  ['consumers of the package', () => checkConsumers(tarball)],
]

let failed = 0
try {
  await ensureDependencies()
  for (const [title, check] of checks) {
    const start = performance.now()
    const problem = await check().catch((error) => String(error?.message ?? error))
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    console.log(`${problem ? '✗' : '✓'} ${title} (${seconds} s)`)
    if (!problem) continue
    failed += 1
    console.log(`\n${problem.trim().replace(/^/gm, '  ')}\n`)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  failed += 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
if (failed > 0) console.log(`${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
