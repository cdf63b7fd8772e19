import type { Server } from '../../client.js'
import { isReadOnly } from '../../redis-error.js'
import { FoundClient } from './found.js'
import { OneServerRoute } from './route.js'
import { PLAIN, sendTo, within } from './send.js'
import type { OneClient, SentinelClient } from './shapes.js'

/**
 * What `createSentinel` returns. Commands go to its client of the master directly: its own method sends a command again
 * whose connection was lost, although Redis may have run it.
 */
export class SentinelRoute extends OneServerRoute {
  readonly #sentinel: SentinelClient
  readonly #master: FoundClient
  readonly #patienceMs: number

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
    return sendTo(client, args, this.#patienceMs)
  }

  /** If the server has become a replica, makes node-redis ask the Sentinels for the master. */
  #refused(err: unknown): never {
    if (isReadOnly(err)) {
      let hasTold = false
      const tell = () => {
        if (hasTold) return
        hasTold = true
        throw err
      }
      this.#sentinel._execute(false, tell).catch(() => undefined)
    }
    throw err
  }
}
