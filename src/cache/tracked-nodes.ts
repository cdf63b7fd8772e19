import type { Client, Server } from '../redis/client.js'
import { EachMaster } from '../redis/each-master.js'
import { HEARTBEAT_MS, type NodeNews, TrackedNode } from './tracked-node.js'

/** The server that has a key. */
export interface KeyLocation {
  node: TrackedNode
  /** Cluster slot of the key; undefined without a Cluster. */
  slot: number | undefined
}

/** All servers that sessions are read from, and whether each is proven to report every change to us. */
export class TrackedNodes {
  readonly #client: Client
  readonly #keyPrefix: string
  readonly #nodes: EachMaster<TrackedNode>
  readonly #timer: NodeJS.Timeout

  /** @param prefix prefix of session keys, without the client's own `keyPrefix` */
  constructor(client: Client, keyPrefix: string, prefix: string, news: NodeNews) {
    this.#client = client
    this.#keyPrefix = keyPrefix
    this.#nodes = new EachMaster(client, (data) => new TrackedNode(data, keyPrefix + prefix, news, this.#isServing))
    this.#timer = setInterval(() => this.#tick(), HEARTBEAT_MS).unref()
    this.#tick()
  }

  /** Finds the server of a key; undefined if it is not proven that this server reports changes of the key to us. */
  locate(key: string, now: number): KeyLocation | undefined {
    const slot = this.#nodes.slotOf(this.#keyPrefix + key)
    const node = this.#nodes.at(slot)
    return node?.isProven(now) ? { node, slot } : undefined
  }

  /** Whether a key is still at the server where it was read, and that server still reports every change to us. */
  isProven({ node, slot }: KeyLocation, now: number): boolean {
    return node.isProven(now) && (slot === undefined || this.#nodes.isOwner(node.data, slot))
  }

  close(): void {
    clearInterval(this.#timer)
    this.#nodes.close()
  }

  #tick(): void {
    this.#nodes.sync()
    for (const node of this.#nodes.values()) node.tick()
  }

  /**
   * A master that is cut off from the Cluster still answers PING while another has replaced it, so ask for the state of
   * the Cluster.
   */
  readonly #isServing = async (data: Server): Promise<boolean> =>
    !this.#client.isCluster || /^cluster_state:ok/m.test(String(await data.ask('cluster', 'INFO')))
}
