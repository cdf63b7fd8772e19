import type { Target } from './target.js'

/** `unknown`: nobody would say. `missing`: the server has no such command. */
export type Permission = 'allowed' | 'denied' | 'missing' | 'unknown'

/** What a user may do with keys of sessions, and with the others. Alike for commands that take no key. */
export interface KeyPermission {
  session: Permission
  index: Permission
}

export interface SlowCommand {
  at: Date
  ms: number
  /** Only its name: arguments are keys and session data. */
  command: string
}

/** All that was read from one server. undefined: this user may not look, or the server does not tell. */
export interface Facts {
  target: Target
  /** Of the store. */
  prefix: string
  /** Whether the URL is that of an administrator, who also lists and counts sessions. */
  isAdmin: boolean
  /** Fields of INFO. */
  info: Readonly<Record<string, string>> | undefined
  /** Of CONFIG GET. */
  config: Readonly<Record<string, string>> | undefined
  /** Who we are to the server; undefined also before Redis 6. */
  user: string | undefined
  /** Without a password. */
  letsAnybodyIn: boolean | undefined
  permissions: Readonly<Record<string, KeyPermission>>
  /** Of FLUSHALL and CONFIG SET, which a store never needs. */
  mayDoAnything: boolean | undefined
  /** What PING was answered with instead of PONG, e.g. LOADING. */
  state: string | undefined
  pingsMs: readonly number[]
  slowCommands: readonly SlowCommand[] | undefined
  /** The longest of each kind, milliseconds, of LATENCY. */
  latencyEvents: Readonly<Record<string, number>> | undefined
  /** Redis's clock minus that of this machine. */
  clockSkewMs: number | undefined
  /** Of CLUSTER INFO, where it is a Cluster. */
  cluster: Readonly<Record<string, string>> | undefined
  /** Masters by name, where the server is a Sentinel. */
  sentinelMasters: Readonly<Record<string, string>> | undefined
}

export type Version = readonly [major: number, minor: number]

/** Valkey counts on from Redis 7.2, whose commands it has; undefined if it was not told. */
export function versionOf(facts: Pick<Facts, 'info'>): Version | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(facts.info?.redis_version ?? '') ?? []
  return major === undefined ? undefined : [Number(major), Number(minor)]
}

/** A field of INFO as a number; undefined if it is none. */
export function numberOf(fields: Readonly<Record<string, string>> | undefined, name: string): number | undefined {
  const text = fields?.[name]
  return text === undefined || text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text)
}

/** `name:value` lines, of INFO and CLUSTER INFO. */
export function fieldsOf(text: string): Record<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => [line.split(':', 1)[0] as string, line.slice(line.indexOf(':') + 1)]))
}
