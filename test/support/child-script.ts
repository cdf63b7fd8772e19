import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buildSync } from 'esbuild'

/** The folder is inside node_modules, so that imports of the script are resolved. */
const DIRECTORY = join('node_modules', '.cache', 'test-children')

/**
 * Bundles a script and the sources it imports into one JavaScript file, for child processes. Starting such a process
 * takes a quarter of the processor time that `--import tsx` takes.
 *
 * @param path path of the script, relative to the root of the repository
 */
export function childScript(...path: string[]): string {
  const source = join(...path)
  const { outputFiles } = buildSync({
    entryPoints: [source],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    write: false,
  })
  const text = outputFiles[0]?.text ?? ''
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const script = join(DIRECTORY, `${basename(source, '.ts')}.${digest}.mjs`)
  if (existsSync(script)) return script
  mkdirSync(DIRECTORY, { recursive: true })
  // Another Jest worker may write the file at the same time. Its content is the same, so the last one may win.
  const own = `${script}.${process.pid}`
  writeFileSync(own, text)
  renameSync(own, script)
  return script
}
