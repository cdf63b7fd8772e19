import type { Link } from '../redis/client.js'
import { replyCode } from '../redis/redis-error.js'
import { runIdOf } from '../redis/run-id.js'

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
  readonly #link: Link
  readonly #prefix: string
  readonly #onChanged: (keys: readonly Buffer[] | null) => void
  #runId: string | undefined

  /**
   * @param link a new connection beside the client's. Compare `runId`, because it may reach another server.
   * @param prefix key prefix, including the client's `keyPrefix`
   * @param onChanged gets the changed keys with all prefixes; null: any key may have changed
   * @param onLost called when the connection has ended, by itself or by `close`, with the reason
   */
  constructor(
    link: Link,
    prefix: string,
    onChanged: (keys: readonly Buffer[] | null) => void,
    onLost: (why: unknown) => void,
  ) {
    this.#link = link
    this.#prefix = prefix
    this.#onChanged = onChanged
    link.onLost(onLost)
  }

  /** Run id of the server process that this connection reaches. */
  get runId(): string | undefined {
    return this.#runId
  }

  /** @throws TrackingRefused, or the error of the connection */
  async open(): Promise<void> {
    const link = this.#link
    await link.open()
    try {
      const id = (await link.ask('client', 'ID')) as number | string
      this.#runId = await runIdOf(link)
      // The reports go to this same connection. With a second one, each could be lost without the other.
      await link.ask('client', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', this.#prefix)
      await link.subscribeToKeys(CHANNEL, this.#onChanged)
    } catch (err) {
      const why = REFUSED[replyCode(err)]
      throw why === undefined ? err : new TrackingRefused(why)
    }
  }

  /** Resolves after Redis has reported every change that preceded this PING. */
  async ping(): Promise<void> {
    await this.#link.ask('ping')
  }

  close(): void {
    this.#link.close()
  }
}
