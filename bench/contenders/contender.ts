import type { Store } from 'express-session'

/** Where a contender keeps its sessions. */
export interface Place {
  /** Redis, or the proxy in front of it. */
  redisPort: number
  /** Each contender has a database of its own on the same server. */
  redisDatabase: number
  sqlPort: number
  /** An empty directory. */
  directory: string
}

/** What a request does to the store, reduced to the server's own commands: the least that anything can cost. */
export interface RawOperations {
  seed(sid: string, json: Record<string, string>): Promise<unknown>
  read(sid: string): Promise<unknown>
  write(sid: string, field: string, text: string, whole: Record<string, string>): Promise<unknown>
}

export interface Opened {
  store?: Store
  raw?: RawOperations
}

export type Server = 'redis' | 'sql' | 'files' | 'memory'

export interface Contender {
  name: string
  title: string
  server: Server
  /** Whose versions matter. */
  packages: readonly string[]
  /** Not a session store. */
  isRaw?: boolean
  /**
   * Imports its packages itself, so that no process carries those of others.
   *
   * @throws Skip
   */
  open(place: Place): Promise<Opened>
}

/** This contender cannot take part, for a reason that is no failure. */
export class Skip extends Error {}

/** Seconds that a session may stay unused, the same for all. */
export const TTL = 1800
