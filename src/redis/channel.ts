import { randomUUID } from 'node:crypto'
import { isCluster, keyPrefixOf, type RedisClient, type RedisNode } from './client.js'
import { SideConnection } from './side-connection.js'
import type { SideHealth } from './side-health.js'

/**
 * Messages from one process to all others that use the same prefix (Redis pub/sub). At most once: what is sent while a
 * connection is broken is lost.
 */
export class Channel {
  readonly #client: RedisClient
  readonly #name: string
  readonly #onMessage: (message: string) => void
  readonly #health: SideHealth
  readonly #self = randomUUID()
  #subscriber: SideConnection | undefined

  /** @param onMessage what other processes have sent */
  constructor(client: RedisClient, name: string, onMessage: (message: string) => void, health: SideHealth) {
    this.#client = client
    // ioredis puts its `keyPrefix` in front of keys only.
    this.#name = keyPrefixOf(client) + name
    this.#onMessage = onMessage
    this.#health = health
  }

  /** A connection that listens can do nothing else, so it is one of its own. In a Cluster any node hears what is sent at another. */
  open(): void {
    const client = this.#client
    const use = {
      node: () => (isCluster(client) ? anyOf(client.nodes('all')) : client),
      // ioredis has forgotten it: it has left the Cluster, and hears nothing any more.
      mayStay: (node: RedisNode) => !isCluster(client) || client.nodes('all').includes(node),
      prepare: (redis: RedisNode) => {
        redis.on('message', (_channel: string, message: string) => this.#heard(message))
        return redis.subscribe(this.#name)
      },
    }
    this.#subscriber = new SideConnection(client, use, this.#health)
  }

  /** Whoever sends does not wait, and is not told whether it has arrived. */
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

/** One that ioredis is connected to, if there is one; each time another one. */
function anyOf(nodes: readonly RedisNode[]): RedisNode | undefined {
  const connected = nodes.filter(({ status }) => status === 'ready')
  const from = connected.length > 0 ? connected : nodes
  return from[Math.floor(Math.random() * from.length)]
}
