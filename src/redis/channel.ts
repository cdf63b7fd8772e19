import { randomUUID } from 'node:crypto'
import { isCluster, keyPrefixOf, type RedisClient } from './client.js'

/** How often it is made sure that somebody listens. */
const AGAIN_MS = 30_000

/**
 * Messages from one process to all others that use the same prefix (Redis pub/sub). At most once: what is sent while a
 * connection is broken is lost.
 */
export class Channel {
  readonly #client: RedisClient
  readonly #name: string
  readonly #onMessage: (message: string) => void
  readonly #self = randomUUID()
  #subscriber: RedisClient | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param onMessage what other processes have sent */
  constructor(client: RedisClient, name: string, onMessage: (message: string) => void) {
    this.#client = client
    // ioredis puts its `keyPrefix` in front of keys only.
    this.#name = keyPrefixOf(client) + name
    this.#onMessage = onMessage
  }

  /** A connection that listens can do nothing else, so it is one of its own. */
  open(): void {
    const subscriber = duplicateOf(this.#client)
    this.#subscriber = subscriber
    // Without a listener ioredis prints every failed connection; it goes on trying.
    subscriber.on('error', () => undefined)
    subscriber.on('message', (_channel: string, message: string) => {
      const [from, text] = [message.slice(0, this.#self.length), message.slice(this.#self.length)]
      if (from !== this.#self) this.#onMessage(text)
    })
    // Now and whenever it has connected again; the caller's client may have no queue for what comes earlier.
    const subscribe = () => {
      subscriber.subscribe(this.#name).catch(() => undefined)
    }
    subscriber.on('ready', subscribe)
    // In a Cluster, ioredis forgets its subscriptions when it loses one node after the other.
    this.#timer = setInterval(() => subscriber.status === 'ready' && subscribe(), AGAIN_MS).unref()
    if (subscriber.status === 'wait') subscriber.connect().catch(() => undefined)
  }

  /** Whoever sends does not wait, and is not told whether it has arrived. */
  send(message: string): void {
    this.#client.publish(this.#name, this.#self + message).catch(() => undefined)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#subscriber?.disconnect()
    this.#subscriber = undefined
  }
}

/** Subscribed again by us: of what ioredis sends itself, nobody would catch that it failed, which ends a process. */
function duplicateOf(client: RedisClient): RedisClient {
  return isCluster(client) ? client.duplicate() : client.duplicate({ autoResubscribe: false })
}
