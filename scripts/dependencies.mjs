import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed, npm, root, run } from './run.mjs'

/** Make node_modules what package-lock.json says; does nothing, at once, when it already is. */
export async function ensureDependencies() {
  if (isInstalled()) return
  console.log('Installing dependencies…')
  const { program, args } = npm()
  // Not `npm ci`, which refuses a lock file written where the registry did not have every platform's optional packages
  // (npm/cli#4828). The versions are the lock file's all the same, and --no-save leaves that file alone. In production
  // mode npm would leave out the development dependencies, which are all there are.
  const code = await run(program, [
    ...args,
    'install',
    '--no-save',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ])
  if (code !== 0) throw new Error(`npm install failed (exit code ${code}); its messages are above`)
}

/** npm writes a second lock file into node_modules when it has finished: what it really put there. */
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
