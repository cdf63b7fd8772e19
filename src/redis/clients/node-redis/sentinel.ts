import type { Server } from '../../client.js'
import { isReadOnly } from '../../redis-error.js'
import { FoundClient } from './found.js'
import { OneServerRoute } from './route.js'
import { PLAIN, sendTo, within } from './send.js'
import { isSentinelOf5, type OneClient, type SentinelClient } from './shapes.js'

/**
 * How long the master is away before version 5 is made to ask for another one. It waits without a limit for the one that
 * the Sentinels name, so they have to notice first that this one is gone. By default they take 30 seconds for that.
 */
const VERSION_5_ASKS_AFTER_MS = 60_000

/**
 * What `createSentinel` returns. Commands go to its client of the master directly: its own method sends a command again
 * whose connection was lost, although Redis may have run it.
 */
export class SentinelRoute extends OneServerRoute {
  readonly #sentinel: SentinelClient
  readonly #master: FoundClient
  readonly #patienceMs: number
  #isAsking = false
  #askingLater: NodeJS.Timeout | undefined

  constructor(sentinel: SentinelClient, keyPrefix: string, patienceMs: number) {
    super()
    this.#sentinel = sentinel
    this.#master = new FoundClient(
      sentinel,
      () => sentinel._execute(false, (client): OneClient => client),
      keyPrefix,
      patienceMs,
    )
    this.#patienceMs = patienceMs
  }

  get isReady(): boolean {
    return this.#sentinel.isOpen && this.#master.now?.isReady === true
  }

  get isClosed(): boolean {
    return !this.#sentinel.isOpen
  }

  send(args: string[]): Promise<unknown> {
    const client = this.#master.now
    if (client?.isReady !== true) return this.#sendLater(args)
    return client.sendCommand(args, PLAIN).catch((err: unknown) => this.#refused(err))
  }

  masters(): readonly Server[] {
    return this.#master.servers
  }

  override async refresh(): Promise<void> {
    await within(this.#master.next(), this.#patienceMs)
  }

  async #sendLater(args: string[]): Promise<unknown> {
    const client = await within(this.#master.next(), this.#patienceMs)
    return sendTo(client, args, this.#patienceMs).catch((err: unknown) => {
      if (!client.isReady) this.#waitedInVain(client, err)
      return this.#refused(err)
    })
  }

  #refused(err: unknown): never {
    if (isReadOnly(err)) this.#ask(err)
    throw err
  }

  #waitedInVain(client: OneClient, err: unknown): void {
    if (!isSentinelOf5(this.#sentinel)) this.#ask(err)
    else {
      this.#askingLater ??= setTimeout(() => {
        this.#askingLater = undefined
        if (this.#master.now === client && !client.isReady) this.#ask(err)
      }, VERSION_5_ASKS_AFTER_MS).unref()
    }
  }

  /**
   * Makes node-redis ask the Sentinels for the master, as it does for commands of its own that fail so. Otherwise it only
   * listens to one Sentinel, and what that one tells may be lost.
   *
   * @param err why: the server has become a replica, or cannot be reached
   */
  #ask(err: unknown): void {
    if (this.#isAsking) return
    this.#isAsking = true
    let hasTold = false
    const tell = () => {
      if (hasTold) return
      hasTold = true
      throw err
    }
    this.#sentinel
      ._execute(false, tell)
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false
      })
  }
}
