// npm run check: runs all checks except the tests. It prints one line per check, and the output of checks that fail.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConsumers } from './consumers.mjs'
import { ensureDependencies } from './dependencies.mjs'
import { pack } from './pack.mjs'
import { capture, installed, root } from './run.mjs'

const biome = installed('@biomejs', 'biome', 'bin', 'biome')
const tsc = installed('typescript', 'bin', 'tsc')
const oxlint = installed('oxlint', 'bin', 'oxlint')
const depcruise = installed('dependency-cruiser', 'bin', 'dependency-cruise.mjs')
const publint = installed('publint', 'src', 'cli.js')
const attw = installed('@arethetypeswrong', 'cli', 'dist', 'index.js')

/** Bytes. The package of a store is installed by every job of every pipeline. */
const MAX_PACKED = 500_000

const directory = mkdtempSync(join(tmpdir(), 'check-'))
let tarball = ''
let failed = 0

/**
 * @param {string} title
 * @param {() => Promise<string | undefined>} check resolves to a description of the problem, if there is one
 */
async function report(title, check) {
  const start = performance.now()
  const problem = await check().catch((error) => String(error?.message ?? error))
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${problem ? '✗' : '✓'} ${title} (${seconds} s)`)
  if (!problem) return true
  failed += 1
  console.log(`\n${problem.trim().replace(/^/gm, '  ')}\n`)
  return false
}

/**
 * Makes a check that runs a program. Its output describes the problem.
 *
 * @param {...string} args arguments for node
 */
const node = (...args) =>
  async function runProgram() {
    const { code, output } = await capture(process.execPath, args, { env: { ...process.env, NO_COLOR: '1' } })
    return code === 0 ? undefined : output || `exit code ${code}`
  }

try {
  await ensureDependencies()
  await report('format and lint (biome)', node(biome, 'ci', '--colors=off', '--error-on-warnings', '.'))
  await report('types (tsc)', node(tsc, '--noEmit'))
  await report('types of the example app (tsc)', node(tsc, '--noEmit', '--project', 'example-app'))
  await report('promises (oxlint)', node(oxlint, '--type-aware', '--deny-warnings', '.'))
  await report('import directions (dependency-cruiser)', node(depcruise, '--config', '.dependency-cruiser.mjs', 'src'))
  await report('documentation site, its links', node(join(root, 'scripts', 'docs.mjs'), '--build'))
  const built = await report('build', node(join(root, 'scripts', 'build.mjs')))
  const packed =
    built &&
    (await report('pack', async () => {
      tarball = await pack(directory)
    }))
  if (packed) {
    await report('size of the package', async () => {
      const { size } = statSync(tarball)
      return size < MAX_PACKED ? undefined : `${size} bytes, and not less than ${MAX_PACKED}`
    })
    await report('package.json (publint)', node(publint, 'run', tarball, '--strict'))
    await report('published types (attw)', node(attw, tarball))
    await report('consumers of the package', () => checkConsumers(tarball))
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  failed += 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
if (failed > 0) console.log(`${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
