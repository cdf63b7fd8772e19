import { copyFileSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/**
 * Deletes the declarations that no declaration of a public module refers to, and copies the others to the second build.
 *
 * @param {string} from directory of the first build, which has the declarations
 * @param {string} to directory of the second build, with the same files
 * @param {readonly string[]} entries declarations of the public modules
 */
export function shareTypes(from, to, entries) {
  const used = reachable(entries)
  for (const path of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    const declaration = join(from, path)
    if (path.endsWith('.d.ts') && !used.has(declaration)) rmSync(declaration)
  }
  for (const declaration of used) copyFileSync(declaration, join(to, relative(from, declaration)))
}

/**
 * @param {readonly string[]} entries
 * @returns {Set<string>} the declarations and all that they import
 */
function reachable(entries) {
  const found = new Set(entries)
  // A set goes on with what is added while it is walked through.
  for (const path of found) {
    const imports = readFileSync(path, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)
    for (const [, target = ''] of imports) found.add(join(dirname(path), `${target}.d.ts`))
  }
  return found
}
