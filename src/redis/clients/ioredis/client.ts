import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Arg, Client, Server } from '../../client.js'
import { slotOf } from '../../cluster-slot.js'
import { Cork } from './cork.js'
import {
  asOneArgument,
  type Ioredis,
  internalsOf,
  isClosed,
  isCluster,
  keyPrefixOf,
  methodsOf,
  optionsOf,
} from './internals.js'
import { leaveSentinels } from './leave-sentinels.js'
import { Losses } from './losses.js'
import { flatten, textsIn } from './replies.js'
import { sendRaw, sendsRaw } from './send-raw.js'
import { hgetall, IoredisServer } from './server.js'
import { harmfulSettings } from './settings.js'

/** Milliseconds between two looks whether a Cluster has been asked for its nodes. */
const LOOK_MS = 10

/**
 * Looks at the methods instead of the class, because the application may use another copy of ioredis, or iovalkey,
 * which is a copy of ioredis under another name.
 */
export function isIoredis(value: object): value is Ioredis {
  const client = value as Partial<Ioredis>
  const hasCommands = typeof client.call === 'function' && typeof client.evalsha === 'function'
  // Pipelines have commands, but no events.
  if (typeof client.on !== 'function') return false
  // A Cluster of ioredis 4 also has `isCluster`, but only version 4 has `_addedScriptHashes`.
  return hasCommands && 'isCluster' in client && !('_addedScriptHashes' in client)
}

/** A client of ioredis 5 or 6, or of iovalkey. */
export class IoredisClient implements Client {
  readonly isCluster: boolean
  readonly harmlessSettings = 'connectRedis() makes a client without them'
  readonly #client: Ioredis
  readonly #cork: Cork
  readonly #servers = new WeakMap<Redis, IoredisServer>()
  /** The search for the nodes of a Cluster that has not begun yet. */
  #nextSearch: Promise<void> | undefined

  constructor(client: Ioredis) {
    this.isCluster = isCluster(client)
    this.#client = client
    this.#cork = new Cork(client)
    leaveSentinels(client)
  }

  get isReady(): boolean {
    return this.#client.status === 'ready'
  }

  get isClosed(): boolean {
    return isClosed(this.#client)
  }

  get keyPrefix(): string {
    return keyPrefixOf(this.#client)
  }

  get commandTimeoutMs(): number {
    const { commandTimeout, redisOptions } = (optionsOf(this.#client) ?? {}) as Timeouts & { redisOptions?: Timeouts }
    return commandTimeout || redisOptions?.commandTimeout || Number.POSITIVE_INFINITY
  }

  get losses(): number {
    return Losses.of(this.#client).count
  }

  get keepsOrder(): boolean {
    if (this.isCluster) return false
    const { enableAutoPipelining, autoPipeliningIgnoredCommands: direct } = optionsOf(this.#client) ?? {}
    // What is pipelined leaves later than what is not.
    return enableAutoPipelining !== true || (Array.isArray(direct) && direct.includes('evalsha'))
  }

  get harmfulSettings(): readonly string[] {
    return harmfulSettings(this.#client)
  }

  hold(isAlone: boolean): void {
    this.#cork.hold(isAlone)
  }

  send(name: string, key: string, ...args: Arg[]): Promise<unknown> {
    return methodsOf(this.#client)[name]?.(key, ...args) as Promise<unknown>
  }

  hgetall(key: string): Promise<unknown> {
    return hgetall(this.#client, key)
  }

  evalsha(sha: string, key: string, args: readonly Arg[]): Promise<unknown> {
    const client = this.#client
    if (sendsRaw(client)) return sendRaw(client, 'EVALSHA', [sha, '1', key].concat(args.map(String)))
    return client.evalsha(sha, 1, key, asOneArgument(args))
  }

  eval(lua: string, key: string, args: readonly Arg[]): Promise<unknown> {
    return this.#client.eval(lua, 1, key, asOneArgument(args))
  }

  ping(): Promise<unknown> {
    return this.#client.ping()
  }

  memoryUsage(key: string): Promise<unknown> {
    return this.#client.memory('USAGE', key)
  }

  publish(channel: string, message: string, key: string): Promise<unknown> {
    const owner = this.isCluster ? this.ownerOf(slotOf(this.keyPrefix + key)) : undefined
    const master = this.masters().find(({ address, isReady }) => isReady && address === owner)
    // A Cluster would take a random node, which may hang.
    return master?.ask('publish', channel, message) ?? this.#client.publish(channel, message)
  }

  fieldsIn(reply: unknown): string[] | undefined {
    return flatten(reply)
  }

  elementsIn<T>(reply: T[]): T[] {
    return textsIn(reply)
  }

  masters(): readonly Server[] {
    return this.#nodes('master')
  }

  servers(): readonly Server[] {
    return this.#nodes('all')
  }

  ownerOf(slot: number): string | undefined {
    return internalsOf(this.#client).slots[slot]?.[0]
  }

  owners(): ReadonlySet<string> {
    const addresses = isCluster(this.#client) ? internalsOf(this.#client).slots.map((keys) => keys?.[0]) : []
    return new Set(addresses.filter((address) => address !== undefined))
  }

  refresh(): Promise<void> {
    const client = this.#client
    if (!isCluster(client)) return Promise.resolve()
    // All who ask before a search begins share it.
    this.#nextSearch ??= this.#searchOver().then(() => {
      this.#nextSearch = undefined
      return new Promise<void>((resolve, reject) => {
        client.refreshSlotsCache((err) => (err ? reject(err) : resolve()))
      })
    })
    return this.#nextSearch
  }

  /**
   * Waits until the client is not asking for the nodes of the Cluster. While iovalkey is, it calls back at once, and until
   * it has the answer, a redirected command may have made one master the owner of a whole range of slots.
   */
  async #searchOver(): Promise<void> {
    while (internalsOf(this.#client).isRefreshing && !this.isClosed) await sleep(LOOK_MS, undefined, { ref: false })
  }

  #nodes(role: 'master' | 'all'): Server[] {
    const client = this.#client
    return isCluster(client) ? client.nodes(role).map((node) => this.#serverOf(node)) : [this.#serverOf(client)]
  }

  #serverOf(node: Redis): Server {
    const server = this.#servers.get(node) ?? new IoredisServer(this.#client, node)
    this.#servers.set(node, server)
    return server
  }
}

interface Timeouts {
  commandTimeout?: number
}
