import type { Server } from '../../client.js'
import { isReadOnly } from '../../redis-error.js'
import { FoundClient } from './found.js'
import { OneServerRoute } from './route.js'
import { PLAIN, sendTo, within } from './send.js'
import type { OneClient, SentinelClient } from './shapes.js'

/**
 * How long the master is away before node-redis is made to ask for another one. The Sentinels have to notice first that
 * it is gone, which takes them 30 seconds by default: version 5 waits without a limit for the one that they name.
 */
const ASKS_AFTER_MS = 90_000

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
      if (!client.isReady) this.#askLater(client)
      return this.#refused(err)
    })
  }

  #refused(err: unknown): never {
    if (isReadOnly(err)) this.#ask()
    throw err
  }

  /** Asks if the master is still away after a while. node-redis listens to one Sentinel only, whose messages may be lost. */
  #askLater(client: OneClient): void {
    const { socketEpoch } = client
    this.#askingLater ??= setTimeout(() => {
      this.#askingLater = undefined
      const isStillAway = this.#master.now === client && !client.isReady && client.socketEpoch === socketEpoch
      // If another client of the pool is connected to the master, node-redis would ask the Sentinels in an endless loop.
      if (isStillAway && this.#sentinel.getMasterNode() === undefined) this.#ask()
    }, ASKS_AFTER_MS).unref()
  }

  /** Makes node-redis ask the Sentinels for the master, as it does if a command of its own fails. */
  #ask(): void {
    if (this.#isAsking) return
    this.#isAsking = true
    let hasTold = false
    const tell = () => {
      if (hasTold) return
      hasTold = true
      // node-redis looks at the beginning of the message. When a script fails, Redis 6 has READONLY in the middle of it.
      throw new Error('READONLY')
    }
    this.#sentinel
      ._execute(false, tell)
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false
      })
  }
}
