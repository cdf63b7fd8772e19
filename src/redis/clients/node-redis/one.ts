import type { Server } from '../../client.js'
import { addressOf } from './address.js'
import { guard } from './guard.js'
import { NodeRedisLink } from './link.js'
import { OneServerRoute } from './route.js'
import { sendTo } from './send.js'
import { NodeRedisServer } from './server.js'
import { harmfulSettings } from './settings.js'
import type { OneClient } from './shapes.js'

/** What `createClient` returns. */
export class OneRoute extends OneServerRoute {
  readonly #client: OneClient
  readonly #patienceMs: number
  readonly #servers: readonly Server[]

  constructor(client: OneClient, keyPrefix: string, patienceMs: number) {
    super()
    this.#client = guard(client)
    this.#patienceMs = patienceMs
    const place = {
      address: () => addressOf(client),
      client: () => client,
      isClosed: () => !client.isOpen,
      beside: () => new NodeRedisLink(client),
    }
    this.#servers = [new NodeRedisServer(place, keyPrefix, patienceMs)]
  }

  override get harmfulSettings(): readonly string[] {
    return harmfulSettings(this.#client.options)
  }

  get isReady(): boolean {
    return this.#client.isReady
  }

  get isClosed(): boolean {
    return !this.#client.isOpen
  }

  send(args: string[]): Promise<unknown> {
    return sendTo(this.#client, args, this.#patienceMs)
  }

  masters(): readonly Server[] {
    return this.#servers
  }
}
