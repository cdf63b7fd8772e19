import { isCluster, type RedisClient, type RedisNode } from '../redis/client.js'
import { EachMaster } from '../redis/each-master.js'
import { HEARTBEAT_MS, type NodeNews, TrackedNode } from './tracked-node.js'

/** The server that a key is at. */
export interface Home {
  node: TrackedNode
  /** undefined without a Cluster. */
  slot: number | undefined
}

/** Every server that sessions are read from, and whether it is proven that we hear of every change there. */
export class TrackedNodes {
  readonly #client: RedisClient
  readonly #keyPrefix: string
  readonly #nodes: EachMaster<TrackedNode>
  readonly #timer: NodeJS.Timeout

  /** @param prefix of sessions, without the client's own `keyPrefix` */
  constructor(client: RedisClient, keyPrefix: string, prefix: string, news: NodeNews) {
    this.#client = client
    this.#keyPrefix = keyPrefix
    this.#nodes = new EachMaster(
      client,
      (data) => new TrackedNode(client, data, keyPrefix + prefix, news, this.#isServing),
    )
    this.#timer = setInterval(() => this.#tick(), HEARTBEAT_MS).unref()
    this.#tick()
  }

  /** Where a key is read, undefined if it is not proven that we would hear of its changes. */
  homeOf(key: string, now: number): Home | undefined {
    const slot = this.#nodes.slotOf(this.#keyPrefix + key)
    const node = this.#nodes.at(slot)
    return node?.isProven(now) ? { node, slot } : undefined
  }

  /** Whether a key is still where it was read, and we would have heard of its changes. */
  isProven({ node, slot }: Home, now: number): boolean {
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

  /** A master that is cut off from the Cluster answers PING, while others have put another one in its place. */
  readonly #isServing = async (data: RedisNode): Promise<boolean> =>
    !isCluster(this.#client) || /^cluster_state:ok/m.test(String(await data.cluster('INFO')))
}
