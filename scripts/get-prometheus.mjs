// node scripts/get-prometheus.mjs: gets Prometheus for the tests into .cache, from Debian's package, and leaves the
// system as it is. Elsewhere, install Prometheus, or name it in PROMETHEUS_BIN.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capture, root } from './run.mjs'

/** test/telemetry/prometheus-program.ts looks here. */
const target = join(root, '.cache', 'prometheus')
const directory = mkdtempSync(join(tmpdir(), 'prometheus-'))
try {
  const { code, output } = await capture('apt-get', ['download', 'prometheus'], { cwd: directory })
  const [file] = readdirSync(directory)
  if (code !== 0 || file === undefined) throw new Error(`apt-get cannot download prometheus: ${output.trim()}`)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  const unpacked = await capture('dpkg-deb', ['--extract', join(directory, file), target])
  if (unpacked.code !== 0) throw new Error(`${file} cannot be unpacked: ${unpacked.output.trim()}`)
  console.log(join(target, 'usr', 'bin', 'prometheus'))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
