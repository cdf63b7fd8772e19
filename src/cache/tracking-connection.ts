import type { RedisClient, RedisNode } from '../redis/client.js'
import { connectionBeside } from '../redis/connection-beside.js'
import { replyCode } from '../redis/redis-error.js'

/** Redis reports changes to a RESP2 connection as messages of this channel. No client can publish there. */
const CHANNEL = '__redis__:invalidate'

/**
 * Permanent refusals, by reply code. Other errors may be temporary: Redis is loading its data, or has just been given a
 * password.
 */
const REFUSED: Readonly<Record<string, string>> = {
  NOPERM: 'the Redis user lacks a permission for it',
  ERR: 'Redis does not know it before 6.0',
}

/** Redis permanently refuses tracking: it does not know the command, or its user lacks the permission. */
export class TrackingRefused extends Error {}

/** A connection on which one server reports every change of a key with a given prefix (CLIENT TRACKING with BCAST). */
export class TrackingConnection {
  readonly #redis: RedisNode
  readonly #prefix: string
  #runId: string | undefined

  /**
   * @param data the client's connection to the same server. Compare `runId`, because the new connection may reach
   *   another one.
   * @param prefix key prefix, including the client's `keyPrefix`
   * @param onChanged gets the changed keys with all prefixes; null: any key may have changed
   * @param onLost called when the connection has ended, by itself or by `close`, with the reason
   */
  constructor(
    client: RedisClient,
    data: RedisNode,
    prefix: string,
    onChanged: (keys: readonly Buffer[] | null) => void,
    onLost: (why: unknown) => void,
  ) {
    this.#prefix = prefix
    this.#redis = connectionBeside(client, data)
    // The event `error` precedes `close` and has the reason.
    let why: unknown = 'it was lost'
    this.#redis.on('error', (err) => {
      why = err
    })
    for (const event of ['close', 'end']) this.#redis.on(event, () => onLost(why))
    // As text, several keys would arrive as one string with commas between them.
    this.#redis.on('messageBuffer', (_channel: unknown, keys: unknown) => {
      onChanged(Array.isArray(keys) ? (keys as Buffer[]) : null)
    })
  }

  /** Run id of the server process that this connection reaches. */
  get runId(): string | undefined {
    return this.#runId
  }

  /** @throws TrackingRefused, or the error of the connection */
  async open(): Promise<void> {
    const redis = this.#redis
    await redis.connect()
    try {
      const id = (await redis.call('CLIENT', 'ID')) as number | string
      this.#runId = await runIdOf(redis)
      // The reports go to this same connection. With a second one, each could be lost without the other.
      await redis.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', this.#prefix)
      await redis.subscribe(CHANNEL)
    } catch (err) {
      const why = REFUSED[replyCode(err)]
      throw why === undefined ? err : new TrackingRefused(why)
    }
  }

  /** Resolves after Redis has reported every change that preceded this PING. */
  async ping(): Promise<void> {
    await this.#redis.ping()
  }

  close(): void {
    this.#redis.disconnect()
  }
}

/** Identifies the server process; a restart changes it. */
export async function runIdOf(node: RedisNode): Promise<string | undefined> {
  return /^run_id:(\w+)/m.exec(await node.info('server'))?.[1]
}
