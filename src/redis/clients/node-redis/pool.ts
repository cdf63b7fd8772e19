import type { Server } from '../../client.js'
import { FoundClient } from './found.js'
import { guard } from './guard.js'
import { OneServerRoute } from './route.js'
import { PLAIN, patient, within } from './send.js'
import type { OneClient, PoolClient } from './shapes.js'

/**
 * What `createClientPool` returns. Each command goes over any of its connections, so nothing may depend on a particular
 * one.
 */
export class PoolRoute extends OneServerRoute {
  readonly #pool: PoolClient
  /** One of the clients, which shows whether there is a connection, and has the options. */
  readonly #sample: FoundClient
  readonly #patienceMs: number

  constructor(pool: PoolClient, keyPrefix: string, patienceMs: number) {
    super()
    this.#pool = pool
    this.#sample = new FoundClient(pool, () => pool.execute((client): OneClient => client), keyPrefix, patienceMs)
    this.#patienceMs = patienceMs
  }

  get isReady(): boolean {
    return this.#pool.isOpen && this.#sample.now?.isReady === true
  }

  get isClosed(): boolean {
    return !this.#pool.isOpen
  }

  send(args: string[]): Promise<unknown> {
    const options = this.isReady ? PLAIN : patient(this.#patienceMs)
    return this.#pool.execute((client) => guard(client).sendCommand(args, options))
  }

  masters(): readonly Server[] {
    return this.#sample.servers
  }

  override async refresh(): Promise<void> {
    await within(this.#sample.next(), this.#patienceMs)
  }
}
