import type { Client, Server } from './client.js'
import { slotOf } from './cluster-slot.js'

interface Closable {
  close(): void
}

/** Holds one object for every server with sessions: for the only one, or for each master of a Cluster. */
export class EachMaster<T extends Closable> {
  readonly #client: Client
  readonly #make: (server: Server) => T
  readonly #held = new Map<Server, T>()

  constructor(client: Client, make: (server: Server) => T) {
    this.#client = client
    this.#make = make
  }

  /** Adds and closes objects as masters join and leave. Call this regularly. */
  sync(): void {
    const masters = this.#client.masters()
    for (const [server, held] of this.#held) {
      if (masters.includes(server)) continue
      held.close()
      this.#held.delete(server)
    }
    for (const server of masters) if (!this.#held.has(server)) this.#held.set(server, this.#make(server))
  }

  values(): Iterable<T> {
    return this.#held.values()
  }

  /** @param slot undefined without a Cluster */
  at(slot: number | undefined): T | undefined {
    for (const [server, held] of this.#held) if (slot === undefined || this.isOwner(server, slot)) return held
    return undefined
  }

  /** @param address `host:port` */
  named(address: string): T | undefined {
    for (const [server, held] of this.#held) if (server.address === address) return held
    return undefined
  }

  /** @param key with the client's `keyPrefix` @returns undefined without a Cluster */
  slotOf(key: string): number | undefined {
    return this.#client.isCluster ? slotOf(key) : undefined
  }

  /** Whether the client believes that a server serves the slot. It learns of a move only from a redirected command. */
  isOwner(server: Server, slot: number): boolean {
    return this.#client.ownerOf(slot) === server.address
  }

  close(): void {
    for (const held of this.#held.values()) held.close()
    this.#held.clear()
  }
}
