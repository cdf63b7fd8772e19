import type { Store } from 'express-session'

/** Where a contender keeps its sessions. */
export interface Place {
  /** Port of Redis, or of the proxy in front of it. */
  redisPort: number
  /** Database of this contender on the common server. */
  redisDatabase: number
  sqlPort: number
  /** An empty directory. */
  directory: string
  /** Replies are held back for longer than a store would wait for them. */
  isSlow?: boolean
}

/** The server commands of a request alone: the minimum cost for any store. */
export interface RawOperations {
  seed(sid: string, json: Record<string, string>): Promise<unknown>
  read(sid: string): Promise<unknown>
  load(sid: string): Promise<unknown>
  save(sid: string, field: string, text: string, whole: Record<string, string>): Promise<unknown>
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
  /** Packages whose versions the report names. */
  packages: readonly string[]
  /** Whether this contender sends bare commands and is no session store. */
  isRaw?: boolean
  /**
   * Opens the store. It imports its packages here, so that no process loads the packages of other contenders.
   *
   * @throws Skip
   */
  open(place: Place): Promise<Opened>
}

/** Thrown if a contender cannot take part for a reason that is no failure. */
export class Skip extends Error {}

/** Idle timeout of a session in seconds, the same for all contenders. */
export const TTL = 1800
