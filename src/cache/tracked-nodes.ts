import { isCluster, type RedisClient, type RedisNode } from '../redis/client.js'
import { slotOf } from './slot.js'
import { HEARTBEAT_MS, type NodeNews, TrackedNode } from './tracked-node.js'

/** The server that a key is at. */
export interface Home {
  node: TrackedNode
  /** undefined without a Cluster. */
  slot: number | undefined
}

/** Every server that sessions are read from: one, or each master of a Cluster, those included that join later. */
export class TrackedNodes {
  readonly #client: RedisClient
  readonly #prefix: string
  readonly #keyPrefix: string
  readonly #news: NodeNews
  readonly #nodes = new Map<RedisNode, TrackedNode>()
  readonly #timer: NodeJS.Timeout

  /** @param prefix of sessions, without the client's own `keyPrefix` */
  constructor(client: RedisClient, keyPrefix: string, prefix: string, news: NodeNews) {
    this.#client = client
    this.#keyPrefix = keyPrefix
    this.#prefix = prefix
    this.#news = news
    this.#timer = setInterval(() => this.#tick(), HEARTBEAT_MS).unref()
    this.#tick()
  }

  /** Where a key is read, undefined if it is not proven that we would hear of its changes. */
  homeOf(key: string, now: number): Home | undefined {
    const slot = isCluster(this.#client) ? slotOf(this.#keyPrefix + key) : undefined
    const data = slot === undefined ? (this.#client as RedisNode) : this.#ownerOf(slot)
    const node = data && this.#nodes.get(data)
    return node?.isProven(now) ? { node, slot } : undefined
  }

  /** Whether a key is still where it was read, and we would have heard of its changes. */
  isProven({ node, slot }: Home, now: number): boolean {
    return node.isProven(now) && (slot === undefined || this.#isOwner(node.data, slot))
  }

  close(): void {
    clearInterval(this.#timer)
    for (const node of this.#nodes.values()) node.close()
    this.#nodes.clear()
  }

  #tick(): void {
    const masters: RedisNode[] = isCluster(this.#client) ? this.#client.nodes('master') : [this.#client]
    for (const [data, node] of this.#nodes) {
      if (masters.includes(data)) continue
      node.close()
      this.#nodes.delete(data)
    }
    for (const data of masters) {
      if (!this.#nodes.has(data))
        this.#nodes.set(data, new TrackedNode(data, this.#prefixed(), this.#news, this.#isServing))
    }
    for (const node of this.#nodes.values()) node.tick()
  }

  #prefixed(): string {
    return this.#keyPrefix + this.#prefix
  }

  /** A master that is cut off from the Cluster answers PING, while others have put another one in its place. */
  readonly #isServing = async (data: RedisNode): Promise<boolean> =>
    !isCluster(this.#client) || /^cluster_state:ok/m.test(String(await data.cluster('INFO')))

  #ownerOf(slot: number): RedisNode | undefined {
    for (const data of this.#nodes.keys()) if (this.#isOwner(data, slot)) return data
    return undefined
  }

  /** As ioredis knows: it learns of a move by the first command that meets it. */
  #isOwner(data: RedisNode, slot: number): boolean {
    const { slots } = this.#client as unknown as { slots: (string[] | undefined)[] }
    return slots[slot]?.[0] === `${data.options.host}:${data.options.port}`
  }
}
