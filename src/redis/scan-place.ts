import { SessionStoreError } from '../errors.js'
import type { Signal } from './deadline.js'

/** Where a walk has stopped, as plain data. */
export interface SavedPlace {
  /** For each server: its identity, and the cursor to go on with; `'-'`: done. */
  servers: [id: string, cursor: string][]
  /** The slots of each server of a Cluster. */
  slots: string[]
  /** How many replies to SCAN have been worked through. */
  pages: number
}

/** How far a walk has come at one server. */
export interface ServerPlace {
  cursor: string
}

/** The cursor of a server that has been walked through. */
export const DONE = '-'

/** The servers are not those that the walk began with, and their cursors mean nothing elsewhere. */
export class PlaceLost extends SessionStoreError {
  constructor(what = 'a Redis server was restarted or replaced') {
    super('ERR_SESSION_UNAVAILABLE', `${what} in the middle of a walk: begin it again`)
  }
}

/**
 * How far a walk through all keys has come, so that it can be stopped, and another process can go on from there. A
 * cursor of SCAN stays valid as long as its server runs: the keys that exist all the time are found, and a few others
 * may be found twice.
 */
export class ScanPlace {
  /** Ends the walk after the page that is being worked through. */
  readonly stop: Signal
  pages: number
  #saved: SavedPlace | undefined
  #servers: [id: string, ServerPlace][] = []
  #slots: string[] = []

  constructor(stop: Signal, saved?: SavedPlace) {
    this.stop = stop
    this.#saved = saved
    this.pages = saved?.pages ?? 0
  }

  /** Whether every key has been found. False before the walk. */
  get isDone(): boolean {
    return this.#servers.length > 0 && this.#servers.every(([, { cursor }]) => cursor === DONE)
  }

  get hasBegun(): boolean {
    return this.#servers.length > 0
  }

  save(): SavedPlace {
    if (this.#saved !== undefined) return this.#saved
    return { servers: this.#servers.map(([id, { cursor }]) => [id, cursor]), slots: this.#slots, pages: this.pages }
  }

  /**
   * Begins a walk through these servers, or goes on with it.
   *
   * @param ids of the processes of the servers
   * @param slots of each server, with a Cluster
   * @throws PlaceLost
   */
  begin(ids: readonly string[], slots: string[]): void {
    const saved = this.#saved
    this.#saved = undefined
    if (saved !== undefined && !isSame(saved, ids, slots)) throw new PlaceLost()
    const cursors = new Map(saved?.servers)
    this.#servers = ids.map((id) => [id, { cursor: cursors.get(id) ?? '0' }])
    this.#slots = slots
  }

  at(i: number): ServerPlace {
    return (this.#servers[i] as [string, ServerPlace])[1]
  }
}

function isSame({ servers, slots: before }: SavedPlace, ids: readonly string[], slots: readonly string[]): boolean {
  const known = new Map(servers)
  return (
    known.size === ids.length &&
    ids.every((id) => known.has(id)) &&
    [...before].sort().join() === [...slots].sort().join()
  )
}
