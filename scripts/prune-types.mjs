import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { publicTypes } from './public-types.mjs'

/**
 * Keeps of the declarations what those of public modules refer to.
 *
 * @param {string} directory of a build
 * @param {readonly string[]} entries declarations of the public modules
 */
export function pruneTypes(directory, entries) {
  const kept = publicTypes(entries)
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('.d.ts')) rmSync(join(directory, path))
  }
  for (const [path, text] of kept) writeFileSync(path, text)
}
