import { isCluster, type RedisClient, type RedisNode } from './client.js'
import { internalsOf } from './clients/ioredis-internals.js'
import { slotOf } from './cluster-slot.js'

interface Closable {
  close(): void
}

/** Holds one object for every server with sessions: for the only one, or for each master of a Cluster. */
export class EachMaster<T extends Closable> {
  readonly #client: RedisClient
  readonly #make: (node: RedisNode) => T
  readonly #held = new Map<RedisNode, T>()

  constructor(client: RedisClient, make: (node: RedisNode) => T) {
    this.#client = client
    this.#make = make
  }

  /** Adds and closes objects as masters join and leave. Call this regularly. */
  sync(): void {
    const masters: RedisNode[] = isCluster(this.#client) ? this.#client.nodes('master') : [this.#client]
    for (const [node, held] of this.#held) {
      if (masters.includes(node)) continue
      held.close()
      this.#held.delete(node)
    }
    for (const node of masters) if (!this.#held.has(node)) this.#held.set(node, this.#make(node))
  }

  values(): Iterable<T> {
    return this.#held.values()
  }

  /** @param slot undefined without a Cluster */
  at(slot: number | undefined): T | undefined {
    if (slot === undefined) return this.#held.get(this.#client as RedisNode)
    for (const [node, held] of this.#held) if (this.isOwner(node, slot)) return held
    return undefined
  }

  /** @param address `host:port` */
  named(address: string): T | undefined {
    for (const [node, held] of this.#held) if (addressOf(node) === address) return held
    return undefined
  }

  /** @param key with the client's `keyPrefix` @returns undefined without a Cluster */
  slotOf(key: string): number | undefined {
    return isCluster(this.#client) ? slotOf(key) : undefined
  }

  /** Whether ioredis believes that a node serves the slot. It learns of a move only from a redirected command. */
  isOwner(node: RedisNode, slot: number): boolean {
    return internalsOf(this.#client).slots[slot]?.[0] === addressOf(node)
  }

  close(): void {
    for (const held of this.#held.values()) held.close()
    this.#held.clear()
  }
}

function addressOf(node: RedisNode): string {
  return `${node.options.host}:${node.options.port}`
}
