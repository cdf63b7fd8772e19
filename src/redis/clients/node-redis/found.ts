import type { Server } from '../../client.js'
import { addressOf } from './address.js'
import { guard } from './guard.js'
import { NodeRedisLink } from './link.js'
import { notConnected } from './send.js'
import { NodeRedisServer } from './server.js'
import type { OneClient } from './shapes.js'

/**
 * The client of one server inside a client of another kind, which hands it out only on request. Another one takes its
 * place when it has been closed, for example by a failover.
 */
export class FoundClient {
  readonly #owner: { readonly isOpen: boolean }
  readonly #find: () => Promise<OneClient>
  readonly #servers: readonly Server[]
  #client: OneClient | undefined
  #finding: Promise<OneClient> | undefined

  /** @param find resolves the client of the server as soon as there is one */
  constructor(
    owner: { readonly isOpen: boolean },
    find: () => Promise<OneClient>,
    keyPrefix: string,
    patienceMs: number,
  ) {
    this.#owner = owner
    this.#find = find
    const place = {
      address: () => addressOf(this.now),
      client: () => this.now,
      isClosed: () => !owner.isOpen,
      beside: () => this.#beside(),
    }
    this.#servers = [new NodeRedisServer(place, keyPrefix, patienceMs)]
    this.#search()
  }

  /** The client; undefined while none is known, which starts a search. */
  get now(): OneClient | undefined {
    if (this.#client?.isOpen) return this.#client
    this.#search()
    return undefined
  }

  /** The server; none while its client is not known. */
  get servers(): readonly Server[] {
    return this.now === undefined ? [] : this.#servers
  }

  /** Rejects if there is none, and the owner is closed. */
  async next(): Promise<OneClient> {
    if (this.#client?.isOpen) return this.#client
    if (!this.#owner.isOpen) throw notConnected()
    this.#finding ??= this.#find()
      .then((client) => {
        this.#client = guard(client)
        return client
      })
      .finally(() => {
        this.#finding = undefined
      })
    return this.#finding
  }

  #search(): void {
    if (this.#finding === undefined) this.next().catch(() => undefined)
  }

  #beside(): NodeRedisLink {
    if (this.now === undefined) throw notConnected()
    return new NodeRedisLink(this.now)
  }
}
