import { connectionBeside } from '../redis/beside.js'
import type { RedisClient, RedisNode } from '../redis/client.js'
import { replyCode } from '../redis/redis-error.js'

/** Redis tells a RESP2 connection what has changed as messages of this channel, which nobody can publish in. */
const CHANNEL = '__redis__:invalidate'

/** By reply code. Any other may pass: Redis loads its data, or asks for the password that it has got since. */
const REFUSED: Readonly<Record<string, string>> = {
  NOPERM: 'the Redis user lacks a permission for it',
  ERR: 'Redis does not know it',
}

/** Redis will not do this for us, now or later: it does not know it, or this user may not. */
export class TrackingRefused extends Error {}

/** A connection to one server on which it tells of every key under a prefix that changes (CLIENT TRACKING, BCAST). */
export class TrackingConnection {
  readonly #redis: RedisNode
  readonly #prefix: string
  #runId: string | undefined

  /**
   * @param data of the client, whose server is meant; what it leads to has to be compared by `runId`
   * @param prefix of keys as Redis has them
   * @param onChanged keys as Redis has them; null: all of them
   * @param onLost the connection has ended, by itself or by `close`, and what it has failed with
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
    // What it ends with comes after what it has ended for.
    let why: unknown = 'it was lost'
    this.#redis.on('error', (err) => {
      why = err
    })
    for (const event of ['close', 'end']) this.#redis.on(event, () => onLost(why))
    // As text, keys would be one string with commas between them.
    this.#redis.on('messageBuffer', (_channel: unknown, keys: unknown) => {
      onChanged(Array.isArray(keys) ? (keys as Buffer[]) : null)
    })
  }

  /** Of the process it leads to. */
  get runId(): string | undefined {
    return this.#runId
  }

  /** @throws TrackingRefused, or whatever else the connection fails with */
  async open(): Promise<void> {
    const redis = this.#redis
    await redis.connect()
    try {
      const id = (await redis.call('CLIENT', 'ID')) as number | string
      this.#runId = await runIdOf(redis)
      // To itself: if the two were two connections, each could be lost without the other.
      await redis.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', this.#prefix)
      await redis.subscribe(CHANNEL)
    } catch (err) {
      const why = REFUSED[replyCode(err)]
      throw why === undefined ? err : new TrackingRefused(why)
    }
  }

  /** What Redis has carried out before it gets this, it has told of before it answers. */
  async ping(): Promise<void> {
    await this.#redis.ping()
  }

  close(): void {
    this.#redis.disconnect()
  }
}

/** Which process this is: another one, also after a restart, has another one. */
export async function runIdOf(node: RedisNode): Promise<string | undefined> {
  return /^run_id:(\w+)/m.exec(await node.info('server'))?.[1]
}
