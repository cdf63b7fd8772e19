// npm run build: compiles src to dist/esm and dist/cjs.
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
  shareTypes(join(dist, 'esm'), join(dist, 'cjs'), publicTypes())
  writeFileSync(
    join(dist, 'cjs', 'redis', 'connect', 'module-url.js'),
    "'use strict'\nexports.moduleUrl = require('node:url').pathToFileURL(__filename).href\n",
  )
  // Both directories have .js files, so a package.json says which kind they are.
  writeFileSync(join(dist, 'esm', 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(dist, 'cjs', 'package.json'), '{ "type": "commonjs" }\n')
  // The package's "bin" must be executable. npm does this when it installs a package, but dist is also used directly.
  chmodSync(join(dist, 'esm', 'cli', 'main.js'), 0o755)
}

/** The declarations that package.json names. */
function publicTypes() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.values(exports).flatMap(({ import: esm }) => (esm ? [join(root, esm.types)] : []))
}
