import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buildSync } from 'esbuild'

/** Below node_modules, so that what a script imports is found from there. */
const DIRECTORY = join('node_modules', '.cache', 'test-children')

/**
 * A script for processes of their own, with the sources it imports in one file of JavaScript. Such a process starts in a quarter of the
 * processor time that one with `--import tsx` takes.
 *
 * @param path from the root of the repository
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
  // Another worker may be at it: whoever comes last puts the same in its place.
  const own = `${script}.${process.pid}`
  writeFileSync(own, text)
  renameSync(own, script)
  return script
}
