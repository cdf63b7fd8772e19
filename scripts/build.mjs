// npm run build: compiles src to dist.
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { bundle } from './bundle.mjs'
import { pruneTypes } from './prune-types.mjs'
import { installed, root, run } from './run.mjs'

const require = createRequire(import.meta.url)
const dist = join(root, 'dist')
const cjs = join(dist, 'cjs')
const compiled = join(dist, 'compiled')
const tsc = installed('typescript', 'bin', 'tsc')
// The types keep their comments, which editors show. The programs do not: that halves the package.
const projects = ['tsconfig.build.json', 'tsconfig.types.json']

rmSync(dist, { recursive: true, force: true })
const codes = await Promise.all(projects.map((project) => run(process.execPath, [tsc, '--project', project])))
process.exitCode = Math.max(...codes)
if (process.exitCode === 0) await finish()

async function finish() {
  const { exports, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const programs = Object.values(bin).map((path) => join(root, path))
  const modules = Object.values(exports).filter((entry) => typeof entry === 'object')
  const paths = (/** @type {'types' | 'default'} */ kind) => modules.map((entry) => join(root, entry.require[kind]))
  pruneTypes(cjs, paths('types'))
  const entries = [...paths('default'), ...programs].map((path) => relative(cjs, path).replaceAll('\\', '/'))
  await bundle(compiled, entries, cjs)
  rmSync(compiled, { recursive: true })
  // Both directories have .js files, so a package.json says which kind they are.
  writeFileSync(join(cjs, 'package.json'), '{ "type": "commonjs" }\n')
  for (const entry of modules) writeEsModule(entry)
  writeFileSync(join(dist, 'esm', 'package.json'), '{ "type": "module" }\n')
  // The package's "bin" must be executable. npm does this when it installs a package, but dist is also used directly.
  for (const program of programs) chmodSync(program, 0o755)
}

/**
 * Writes the ES module of an entry, which passes on what the CommonJS module exports. So a process that uses both has
 * one class of stores, and the package has its code once.
 *
 * @param {{ import: Entry, require: Entry }} entry
 * @typedef {{ types: string, default: string }} Entry
 */
function writeEsModule({ import: esm, require: common }) {
  const path = join(root, esm.default)
  const source = relative(dirname(path), join(root, common.default)).replaceAll('\\', '/')
  const names = Object.keys(require(join(root, common.default))).sort()
  mkdirSync(dirname(path), { recursive: true })
  // Node 20 ends the process if CommonJS below an ES module lacks a package; an import that fails can be caught.
  const packages = readFileSync(join(root, common.default), 'utf8').matchAll(/require\('(?!node:)([^.'][^']*)'\)/g)
  const needed = [...packages].map(([, name]) => `import '${name}'\n`).join('')
  writeFileSync(path, `${needed}export { ${names.join(', ')} } from '${source}'\n`)
  writeFileSync(join(root, esm.types), `export * from '${source}'\n`)
}
