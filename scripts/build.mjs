// npm run build: src -> dist/esm and dist/cjs.
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed, root, run } from './run.mjs'

const dist = join(root, 'dist')
const tsc = installed('typescript', 'bin', 'tsc')

rmSync(dist, { recursive: true, force: true })
const codes = await Promise.all(
  ['tsconfig.build.json', 'tsconfig.cjs.json'].map((project) => run(process.execPath, [tsc, '--project', project])),
)
process.exitCode = Math.max(...codes)
if (process.exitCode === 0) {
  // Files are .js in both; these two say which kind each directory holds.
  writeFileSync(join(dist, 'esm', 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(dist, 'cjs', 'package.json'), '{ "type": "commonjs" }\n')
  // The package's "bin"; npm sees to it itself, but not where dist is used as it is.
  chmodSync(join(dist, 'esm', 'cli', 'main.js'), 0o755)
}
