import type { Redis } from 'ioredis'
import type { Arg, Link } from '../../client.js'
import { type Ioredis, isCluster, streamOf } from './internals.js'

/**
 * Options that differ from those of the client. The connection does not reconnect: its owner replaces it once it is
 * lost. Versions of ioredis that do not know an option ignore it.
 */
const ONE_USE = {
  // With RESP2, every version of ioredis passes on the messages of Redis.
  protocol: 2,
  replyMapping: undefined,
  lazyConnect: true,
  retryStrategy: null,
  enableReadyCheck: false,
  enableAutoPipelining: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  failoverDetector: false,
  monitor: false,
  keyPrefix: '',
  // A server that hangs never closes its side of the connection.
  disconnectTimeout: 200,
}

/** An additional connection of ioredis. */
export class IoredisLink implements Link {
  readonly #redis: Redis
  /** What the event `error` had. It precedes `close`, and says more than the errors of commands. */
  #why: unknown

  /** @param node the client itself, or one node of a Cluster */
  constructor(client: Ioredis, node: Redis) {
    this.#redis = node.duplicate({ ...ONE_USE, ...sharedOptions(client) } as object)
    this.#redis.on('connect', () => streamOf(this.#redis)?.unref?.())
    this.#redis.on('error', (err) => {
      this.#why = err
    })
  }

  get isReady(): boolean {
    return this.#redis.status === 'ready'
  }

  get heard(): unknown {
    return streamOf(this.#redis)?.bytesRead
  }

  async open(): Promise<void> {
    try {
      await this.#redis.connect()
    } catch (err) {
      throw this.#why ?? err
    }
  }

  ask(name: string, ...args: Arg[]): Promise<unknown> {
    return this.#redis.call(name, ...args)
  }

  askAll(commands: readonly (readonly [name: string, ...args: Arg[]])[]): Promise<unknown[]> {
    return Promise.all(commands.map(([name, ...args]) => this.ask(name, ...args)))
  }

  subscribe(channel: string, onMessage: (message: string) => void): Promise<unknown> {
    this.#redis.on('message', (_channel: string, message: string) => onMessage(message))
    return this.#redis.subscribe(channel)
  }

  subscribeToKeys(channel: string, onKeys: (keys: readonly Buffer[] | null) => void): Promise<unknown> {
    // As text, several keys would arrive as one string with commas between them.
    this.#redis.on('messageBuffer', (_channel: unknown, keys: unknown) => {
      onKeys(Array.isArray(keys) ? (keys as Buffer[]) : null)
    })
    return this.#redis.subscribe(channel)
  }

  onLost(listener: (why: unknown) => void): void {
    for (const event of ['close', 'end']) this.#redis.on(event, () => listener(this.#why ?? 'it was lost'))
  }

  close(): void {
    this.#redis.disconnect()
  }
}

/** In a Cluster, a node keeps the options with which it was connected. Take the current ones of the client instead. */
function sharedOptions(client: Ioredis): object {
  if (!isCluster(client)) return {}
  const { redisOptions = {} } = client.options
  const shared = SHARED.map((name) => [name, redisOptions[name]] as const)
  return Object.fromEntries(shared.filter(([, value]) => value !== undefined))
}

const SHARED = ['username', 'password', 'tls'] as const
