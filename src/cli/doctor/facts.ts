import type { Target } from './target.js'

/** `unknown`: Redis did not tell. `missing`: the server has no such command. */
export type Permission = 'allowed' | 'denied' | 'missing' | 'unknown'

/**
 * Whether a user may run a command on keys of sessions, and on other keys. Both are equal for commands without keys.
 */
export interface KeyPermission {
  session: Permission
  index: Permission
}

export interface SlowCommand {
  at: Date
  ms: number
  /** The name only, because arguments contain keys and session data. */
  command: string
}

/** What the keys of this server hold. */
export interface DataFacts {
  /** How many keys were looked at, of how many there are. */
  looked: number
  total: number
  /** Keys under the prefix that are sessions. */
  sessions: number
  /** Those of them that are strings of connect-redis. */
  strings: number
  /** Those of them that never expire. */
  withoutTtl: number
  /** Mean memory of a session, in bytes; undefined if there is none, or MEMORY USAGE is forbidden. */
  meanBytes: number | undefined
  /** Other prefixes with keys that look like sessions. */
  others: readonly string[]
}

/** Everything that was read from one server. undefined: the user may not read it, or the server does not tell. */
export interface Facts {
  target: Target
  /** Key prefix of the store. */
  prefix: string
  /** Whether the user is also meant to list and count sessions. */
  isAdmin: boolean
  /** Fields of INFO. */
  info: Readonly<Record<string, string>> | undefined
  /** Settings from CONFIG GET. */
  config: Readonly<Record<string, string>> | undefined
  /** Name of the user; undefined before Redis 6, too. */
  user: string | undefined
  /** Whether a client without a password gets in. */
  letsAnybodyIn: boolean | undefined
  permissions: Readonly<Record<string, KeyPermission>>
  /** Whether the user may run FLUSHALL and CONFIG SET, which a store never needs. */
  mayDoAnything: boolean | undefined
  /** The error that PING was answered with, e.g. LOADING. */
  state: string | undefined
  pingsMs: readonly number[]
  slowCommands: readonly SlowCommand[] | undefined
  /** From LATENCY LATEST: the longest latency by event, in milliseconds. */
  latencyEvents: Readonly<Record<string, number>> | undefined
  /** Redis's clock minus this machine's clock, in milliseconds. */
  clockSkewMs: number | undefined
  /** undefined: the user may not run SCAN. */
  data: DataFacts | undefined
  /** Fields of CLUSTER INFO, if it is a Cluster. */
  cluster: Readonly<Record<string, string>> | undefined
  /** Addresses of masters by name, if the server is a Sentinel. */
  sentinelMasters: Readonly<Record<string, string>> | undefined
}

export type Version = readonly [major: number, minor: number]

/** The version of Redis whose commands the server has; undefined if it does not tell. Valkey reports 7.2 there. */
export function versionOf(facts: Pick<Facts, 'info'>): Version | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(facts.info?.redis_version ?? '') ?? []
  return major === undefined ? undefined : [Number(major), Number(minor)]
}

/** A field of INFO as a number; undefined if it is no number. */
export function numberOf(fields: Readonly<Record<string, string>> | undefined, name: string): number | undefined {
  const text = fields?.[name]
  return text === undefined || text === '' || !Number.isFinite(Number(text)) ? undefined : Number(text)
}

/** Parses the `name:value` lines of INFO and CLUSTER INFO. */
export function fieldsOf(text: string): Record<string, string> {
  const lines = text.split(/\r?\n/).filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => [line.split(':', 1)[0] as string, line.slice(line.indexOf(':') + 1)]))
}
