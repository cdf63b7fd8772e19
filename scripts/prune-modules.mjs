import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Deletes the modules that no entry loads: the command in CommonJS, and what had only types.
 *
 * @param {string} directory of a build
 * @param {readonly string[]} entries what package.json names of it
 */
export function pruneModules(directory, entries) {
  const loaded = new Set(entries)
  // A set goes on with what is added while it is walked through.
  for (const path of loaded) {
    const imports = readFileSync(path, 'utf8').matchAll(/(?:from |import |import\(|require\()['"](\.[^'"]+\.js)['"]/g)
    for (const [, target = ''] of imports) loaded.add(join(dirname(path), target))
  }
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('.js') && !loaded.has(join(directory, path))) rmSync(join(directory, path))
  }
}
