import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from '../../client.js'
import { slotOf } from '../../cluster-slot.js'
import { replyCode } from '../../redis-error.js'
import { guard } from './guard.js'
import { NodeRedisLink } from './link.js'
import type { Route } from './route.js'
import { notConnected, PLAIN, patient, sendTo, within } from './send.js'
import { NodeRedisServer } from './server.js'
import { harmfulClusterSettings } from './settings.js'
import type { ClusterClient, ClusterNode, OneClient, OneOptions, SocketOptions } from './shapes.js'

/** Milliseconds between two looks whether a Cluster that connects for the first time knows its nodes. */
const LOOK_MS = 10
/** Milliseconds between two searches for the masters of slots that nobody serves. */
const SEARCH_MS = 500

/**
 * What `createCluster` returns. Commands go to its client of the master directly, which costs a fifth of the promises of
 * its own method. That one takes over where a slot has moved.
 */
export class ClusterRoute implements Route {
  readonly isCluster = true
  readonly #cluster: ClusterClient
  readonly #keyPrefix: string
  readonly #patienceMs: number
  readonly #servers = new WeakMap<ClusterNode, Server>()
  #connecting: Promise<void> | undefined
  #searching: Promise<void> | undefined
  #searchedAt = Number.NEGATIVE_INFINITY

  constructor(cluster: ClusterClient, keyPrefix: string, patienceMs: number) {
    this.#cluster = cluster
    this.#keyPrefix = keyPrefix
    this.#patienceMs = patienceMs
  }

  get isReady(): boolean {
    const { isOpen, masters } = this.#cluster
    return isOpen && masters.some(({ client }) => client === undefined || client.isReady)
  }

  get isClosed(): boolean {
    return !this.#cluster.isOpen
  }

  get harmfulSettings(): readonly string[] {
    return harmfulClusterSettings(this.#cluster)
  }

  send(args: string[], key: string): Promise<unknown> {
    const master = this.#cluster.slots[slotOf(key)]?.master
    if (master === undefined) return this.#sendLater(args, key)
    const { client } = master
    // The Cluster connects to the node.
    if (client === undefined) return this.#cluster.sendCommand(key, false, args, patient(this.#patienceMs))
    return sendTo(guard(client), args, this.#patienceMs).catch((err: unknown) => {
      if (!hasMoved(err)) throw err
      return this.#cluster.sendCommand(key, false, args, PLAIN)
    })
  }

  async sendAnywhere(args: string[], preferred?: string): Promise<unknown> {
    await this.#known()
    const master = preferred === undefined ? undefined : this.#cluster.slots[slotOf(preferred)]?.master.client
    const client = master?.isReady ? master : this.#anyClient()
    if (client === undefined) throw notConnected()
    return sendTo(guard(client), args, this.#patienceMs)
  }

  masters(): readonly Server[] {
    return this.#cluster.masters.map((node) => this.#serverOf(node))
  }

  servers(): readonly Server[] {
    return [...this.#cluster.masters, ...this.#cluster.replicas].map((node) => this.#serverOf(node))
  }

  ownerOf(slot: number): string | undefined {
    return this.#cluster.slots[slot]?.master.address
  }

  owners(): ReadonlySet<string> {
    return new Set(this.#cluster.slots.map((slot) => slot?.master.address).filter((address) => address !== undefined))
  }

  async refresh(): Promise<void> {
    await this.#known()
    await this.#cluster._slots?.rediscover(await this.#answering())
  }

  async #sendLater(args: string[], key: string): Promise<unknown> {
    await this.#known()
    const slot = slotOf(key)
    if (this.#cluster.slots[slot] === undefined) await this.#searchForOwners()
    const master = this.#cluster.slots[slot]?.master
    // Redis's own words for it.
    if (master === undefined) throw new Error('CLUSTERDOWN Hash slot not served')
    const { client } = master
    if (client === undefined) return this.#cluster.sendCommand(key, false, args, patient(this.#patienceMs))
    return sendTo(guard(client), args, this.#patienceMs)
  }

  /** A Cluster that has just been made does not name all masters yet, and node-redis would never ask again. */
  async #searchForOwners(): Promise<void> {
    if (performance.now() - this.#searchedAt < SEARCH_MS) return
    this.#searching ??= this.refresh().finally(() => {
      this.#searchedAt = performance.now()
      this.#searching = undefined
    })
    await within(this.#searching, this.#patienceMs)
  }

  /** Waits for the first connection. */
  #known(): Promise<void> {
    if (this.#cluster.masters.length > 0) return Promise.resolve()
    this.#connecting ??= this.#firstConnection().finally(() => {
      this.#connecting = undefined
    })
    return within(this.#connecting, this.#patienceMs)
  }

  async #firstConnection(): Promise<void> {
    while (this.#cluster.masters.length === 0) {
      if (!this.#cluster.isOpen) throw notConnected()
      await sleep(LOOK_MS, undefined, { ref: false })
    }
  }

  /** Any client of a node, preferably a connected one. */
  #anyClient(): OneClient | undefined {
    return this.#connected()[0] ?? this.#clients()[0] ?? this.#firstClient()
  }

  /** With `minimizeConnections`, no node may have a client yet. node-redis makes it at once, and then connects it. */
  #firstClient(): OneClient | undefined {
    const [first] = this.#cluster.masters
    if (first === undefined || !this.#cluster.isOpen) return undefined
    this.#cluster.nodeClient(first).catch(() => undefined)
    return first.client
  }

  /**
   * Resolves to the client of a server that answers; any client if none is connected. If a server that hangs were asked
   * for the nodes of the Cluster, node-redis would wait for its answer without a limit, and so would every later search.
   */
  async #answering(): Promise<OneClient | undefined> {
    const connected = this.#connected()
    if (connected.length === 0) return this.#anyClient()
    const asked = connected.map((client) => sendTo(guard(client), ['PING'], this.#patienceMs).then(() => client))
    return within(Promise.any(asked), this.#patienceMs)
  }

  #connected(): OneClient[] {
    return this.#clients().filter(({ isReady }) => isReady)
  }

  #clients(): OneClient[] {
    return this.#cluster.masters.map(({ client }) => client).filter((client) => client !== undefined)
  }

  #serverOf(node: ClusterNode): Server {
    const known = this.#servers.get(node)
    if (known !== undefined) return known
    const place = {
      address: () => node.address,
      client: () => node.client,
      connect: () => this.#connect(node),
      isClosed: () => !this.#cluster.isOpen,
      beside: () => this.#beside(node),
    }
    const server = new NodeRedisServer(place, this.#keyPrefix, this.#patienceMs)
    this.#servers.set(node, server)
    return server
  }

  /** Connects to a node. node-redis would not close a connection to one that has left the Cluster. */
  #connect(node: ClusterNode): Promise<OneClient> {
    const { isOpen, masters, replicas } = this.#cluster
    const isMember = isOpen && (masters.includes(node) || replicas.includes(node))
    return isMember ? this.#cluster.nodeClient(node) : Promise.reject(notConnected())
  }

  /** A node keeps the options with which it was connected. Take the current login of the Cluster instead. */
  #beside(node: ClusterNode): NodeRedisLink {
    const login = loginOf(this.#cluster._options?.defaults)
    if (node.client !== undefined) return new NodeRedisLink(node.client, login)
    const other = this.#anyClient()
    if (other === undefined) throw notConnected()
    return new NodeRedisLink(other, { ...login, socket: addressOf(node, this.#cluster) })
  }
}

/** Where node-redis connects to a node, which may be behind a translation of addresses. */
function addressOf({ address, host, port }: ClusterNode, { _options }: ClusterClient): SocketOptions {
  const map = _options?.nodeAddressMap
  return (typeof map === 'function' ? map(address) : map?.[address]) ?? { host, port }
}

function loginOf({ username, password, credentialsProvider }: OneOptions = {}): OneOptions {
  if (credentialsProvider !== undefined) return { credentialsProvider }
  // With `undefined`, node-redis makes a provider of user name and password.
  if (password === undefined) return {}
  return { ...(username !== undefined && { username }), password, credentialsProvider: undefined }
}

function hasMoved(err: unknown): boolean {
  const code = replyCode(err)
  return code === 'MOVED' || code === 'ASK'
}
