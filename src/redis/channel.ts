import { randomUUID } from 'node:crypto'
import { isCluster, keyPrefixOf, type RedisClient, type RedisNode } from './client.js'
import type { Keys } from './keys.js'
import { SideConnection } from './side-connection.js'
import type { SideHealth } from './side-health.js'

/** Returns the channel on which processes tell each other of sessions that have ended (`broadcast` option). */
export function endedChannel({ prefix }: Keys): string {
  return `idx:${prefix}@ended`
}

/**
 * Sends messages to all other processes that use the same prefix, over Redis pub/sub. Each message arrives at most
 * once; messages sent while a connection is broken are lost.
 */
export class Channel {
  readonly #client: RedisClient
  readonly #name: string
  readonly #onMessage: (message: string) => void
  readonly #health: SideHealth
  readonly #self = randomUUID()
  #subscriber: SideConnection | undefined

  /** @param onMessage called with each message of another process */
  constructor(client: RedisClient, name: string, onMessage: (message: string) => void, health: SideHealth) {
    this.#client = client
    // ioredis does not put its `keyPrefix` in front of channel names.
    this.#name = keyPrefixOf(client) + name
    this.#onMessage = onMessage
    this.#health = health
  }

  /**
   * Subscribes. A subscribed connection can send no other commands, so this needs an additional one. In a Cluster,
   * every node gets the messages that are published on any other.
   */
  open(): void {
    const client = this.#client
    const use = {
      node: () => (isCluster(client) ? anyOf(client.nodes('all')) : client),
      // A node that ioredis has dropped has left the Cluster, and gets no more messages.
      mayStay: (node: RedisNode) => !isCluster(client) || client.nodes('all').includes(node),
      prepare: (redis: RedisNode) => {
        redis.on('message', (_channel: string, message: string) => this.#heard(message))
        return redis.subscribe(this.#name)
      },
    }
    this.#subscriber = new SideConnection(client, use, this.#health)
  }

  /** Publishes a message without waiting, and without reporting a failure. */
  send(message: string): void {
    this.#client.publish(this.#name, this.#self + message).catch(() => undefined)
  }

  close(): void {
    this.#health.close()
    this.#subscriber?.close()
    this.#subscriber = undefined
  }

  #heard(message: string): void {
    const [from, text] = [message.slice(0, this.#self.length), message.slice(this.#self.length)]
    if (from !== this.#self) this.#onMessage(text)
  }
}

/** Picks a random node, preferably a connected one. */
function anyOf(nodes: readonly RedisNode[]): RedisNode | undefined {
  const connected = nodes.filter(({ status }) => status === 'ready')
  const from = connected.length > 0 ? connected : nodes
  return from[Math.floor(Math.random() * from.length)]
}
