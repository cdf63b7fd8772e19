// npm run build: compiles src to dist/esm and dist/cjs.
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pruneModules } from './prune-modules.mjs'
import { installed, root, run } from './run.mjs'
import { shareTypes } from './share-types.mjs'

const dist = join(root, 'dist')
const tsc = installed('typescript', 'bin', 'tsc')
// The types keep their comments, which editors show. The programs do not: that halves the package.
const projects = ['tsconfig.build.json', 'tsconfig.cjs.json', 'tsconfig.types.json']

rmSync(dist, { recursive: true, force: true })
const codes = await Promise.all(projects.map((project) => run(process.execPath, [tsc, '--project', project])))
process.exitCode = Math.max(...codes)
if (process.exitCode === 0) {
  const { types, esm, cjs } = entries()
  shareTypes(join(dist, 'esm'), join(dist, 'cjs'), types)
  writeFileSync(
    join(dist, 'cjs', 'redis', 'connect', 'module-url.js'),
    "'use strict'\nexports.moduleUrl = require('node:url').pathToFileURL(__filename).href\n",
  )
  pruneModules(join(dist, 'esm'), esm)
  pruneModules(join(dist, 'cjs'), cjs)
  // Both directories have .js files, so a package.json says which kind they are.
  writeFileSync(join(dist, 'esm', 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(dist, 'cjs', 'package.json'), '{ "type": "commonjs" }\n')
  // The package's "bin" must be executable. npm does this when it installs a package, but dist is also used directly.
  chmodSync(join(dist, 'esm', 'cli', 'main.js'), 0o755)
}

/** The files that package.json names. */
function entries() {
  const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const modules = Object.values(exports).filter((entry) => typeof entry === 'object')
  const paths = (/** @type {(entry: any) => string} */ pathOf) => modules.map((entry) => join(root, pathOf(entry)))
  return {
    types: paths((entry) => entry.import.types),
    esm: [...paths((entry) => entry.import.default), ...Object.values(bin).map((path) => join(root, path))],
    cjs: paths((entry) => entry.require.default),
  }
}
