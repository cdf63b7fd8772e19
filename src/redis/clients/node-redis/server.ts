import type { Arg, Link, Server } from '../../client.js'
import { connectionOf } from './connection.js'
import { guard } from './guard.js'
import { notConnected, sendTo, texts, within } from './send.js'
import type { OneClient } from './shapes.js'

/** Where a server of the client is. */
export interface Place {
  address(): string
  /** The client's connection to it; undefined while there is none. */
  client(): OneClient | undefined
  /** Connects to it, where the client does that only when needed. */
  connect?(): Promise<OneClient>
  isClosed(): boolean
  beside(): Link
}

/** One server of a client of node-redis. */
export class NodeRedisServer implements Server {
  readonly #place: Place
  readonly #keyPrefix: string
  readonly #patienceMs: number

  constructor(place: Place, keyPrefix: string, patienceMs: number) {
    this.#place = place
    this.#keyPrefix = keyPrefix
    this.#patienceMs = patienceMs
  }

  get address(): string {
    return this.#place.address()
  }

  get isReady(): boolean {
    return this.#place.client()?.isReady === true
  }

  get isClosed(): boolean {
    return this.#place.isClosed()
  }

  get isClosedByCaller(): boolean {
    return this.#place.isClosed()
  }

  get connection(): unknown {
    const client = this.#place.client()
    return client && connectionOf(client)
  }

  send(name: string, key: string, ...args: Arg[]): Promise<unknown> {
    return this.#send(texts([name, this.#keyPrefix + key], args))
  }

  hgetall(key: string): Promise<unknown> {
    return this.#send(['HGETALL', this.#keyPrefix + key])
  }

  evalsha(sha: string, key: string, args: readonly Arg[]): Promise<unknown> {
    return this.#send(texts(['evalsha', sha, '1', this.#keyPrefix + key], args))
  }

  eval(lua: string, key: string, args: readonly Arg[]): Promise<unknown> {
    return this.#send(texts(['eval', lua, '1', this.#keyPrefix + key], args))
  }

  ask(name: string, ...args: Arg[]): Promise<unknown> {
    return this.#send(texts([name], args))
  }

  beside(): Link {
    return this.#place.beside()
  }

  #send(args: string[]): Promise<unknown> {
    const client = this.#place.client()
    if (client !== undefined) return sendTo(guard(client), args, this.#patienceMs)
    const connecting = this.#place.connect?.() ?? Promise.reject(notConnected())
    return within(connecting, this.#patienceMs).then((connected) => sendTo(guard(connected), args, this.#patienceMs))
  }
}
