import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { publicTypes } from './public-types.mjs'

/**
 * Keeps of the declarations what those of public modules refer to, and puts it into both builds.
 *
 * @param {string} from directory of the first build, which has the declarations
 * @param {string} to directory of the second build
 * @param {readonly string[]} entries declarations of the public modules
 */
export function shareTypes(from, to, entries) {
  const kept = publicTypes(entries)
  for (const path of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('.d.ts')) rmSync(join(from, path))
  }
  for (const [path, text] of kept) {
    writeFileSync(path, text)
    writeFileSync(join(to, relative(from, path)), text)
  }
}
