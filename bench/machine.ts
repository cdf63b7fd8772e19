import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import type { Cores } from './processes/cores.js'

export interface Machine {
  cpu: string
  cores: number
  memoryGiB: number
  system: string
  node: string
  redis: string
  pinned: boolean
  /** Of the minute before: what else was running. */
  load: number
  packages: Record<string, string>
}

export function describeMachine(cores: Cores | undefined, redis: string, packages: readonly string[]): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split('-')[0]}`,
    node: process.versions.node,
    redis,
    pinned: cores !== undefined,
    load: loadavg()[0] ?? 0,
    packages: Object.fromEntries([...new Set(packages)].sort().map((name) => [name, versionOf(name)])),
  }
}

/** `connect-redis8` is an alias; what it stands for is in its own package.json. */
function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
