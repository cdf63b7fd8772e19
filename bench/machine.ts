import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import type { Cores } from './processes/cores.js'

export interface Machine {
  cpu: string
  cores: number
  memoryGiB: number
  system: string
  node: string
  /** Name and version of the Redis server. */
  server: string
  pinned: boolean
  /** Load average of the minute before the program was started, which shows what else is running. */
  load: number
  packages: Record<string, string>
}

export function describeMachine(cores: Cores | undefined, server: string, packages: readonly string[]): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split('-')[0]}`,
    node: process.versions.node,
    server,
    pinned: cores !== undefined,
    load: loadBefore(),
    packages: Object.fromEntries([...new Set(packages)].sort().map((name) => [name, versionOf(name)])),
  }
}

/** start.mjs asks before it builds the package, which is work, too. */
export function loadBefore(): number {
  return Number(process.env.LOAD_BEFORE ?? loadavg()[0])
}

/** Reads the version from the package's own package.json, because `connect-redis8` is an alias. */
function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
