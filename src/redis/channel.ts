import { randomUUID } from 'node:crypto'
import type { Client, Link, Server } from './client.js'
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
  readonly #client: Client
  readonly #name: string
  readonly #onMessage: (message: string) => void
  readonly #health: SideHealth
  readonly #self = randomUUID()
  #subscriber: SideConnection | undefined

  /** @param onMessage called with each message of another process */
  constructor(client: Client, name: string, onMessage: (message: string) => void, health: SideHealth) {
    this.#client = client
    // No client puts its own prefix in front of the names of channels.
    this.#name = client.keyPrefix + name
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
      server: () => anyOf(client.servers()),
      // A server that the client has dropped has left the Cluster, and gets no more messages.
      mayStay: (server: Server) => !client.isCluster || client.servers().includes(server),
      prepare: (link: Link) => link.subscribe(this.#name, (message) => this.#heard(message)),
    }
    this.#subscriber = new SideConnection(client, use, this.#health)
  }

  /**
   * Publishes a message without waiting, and without reporting a failure.
   *
   * @param key whose master sends it. It has just answered; another one might hang, and the message would be lost
   */
  send(message: string, key: string): void {
    this.#client.publish(this.#name, this.#self + message, key).catch(() => undefined)
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

/** Picks a random server, preferably a connected one. */
function anyOf(servers: readonly Server[]): Server | undefined {
  const connected = servers.filter(({ isReady }) => isReady)
  const from = connected.length > 0 ? connected : servers
  return from[Math.floor(Math.random() * from.length)]
}
