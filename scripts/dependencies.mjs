import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed, npm, root, run } from './run.mjs'

/** Installs what package-lock.json lists. Returns immediately if it is already installed. */
export async function ensureDependencies() {
  if (isInstalled()) return
  console.log('Installing dependencies…')
  const { program, args } = npm()
  // --include=dev is needed if NODE_ENV is production, because nearly all dependencies are development dependencies.
  const code = await run(program, [...args, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])
  if (code !== 0) throw new Error(`npm ci failed (exit code ${code}); its messages are above`)
}

/** Compares package-lock.json with the lock file that npm writes into node_modules at the end of an installation. */
function isInstalled() {
  const wanted = packagesIn(join(root, 'package-lock.json'))
  const found = packagesIn(installed('.package-lock.json'))
  if (!wanted || !found) return false
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional || entry.version === found[path]?.version,
  )
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean }> | undefined}
 */
function packagesIn(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}
