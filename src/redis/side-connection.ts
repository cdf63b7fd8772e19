import type { Client, Link, Server } from './client.js'
import { reconnectDelay } from './connect/request-path-options.js'
import { replyCode } from './redis-error.js'
import { knownRunIdOf } from './run-id.js'
import type { SideHealth } from './side-health.js'

/** Milliseconds between two PINGs. */
const HEARTBEAT_MS = 1000
/** The connection is given up after this many heartbeats in which nothing came from Redis. */
const MAX_SILENT = 3
const OPEN_MS = 3000
/** Milliseconds between two attempts while the Redis user lacks a permission. */
const FORBIDDEN_RETRY_MS = 30_000

export interface SideUse {
  /** Returns the server to connect to; undefined: none is known yet. */
  server(): Server | undefined
  /** Whether the connection may stay at its server. */
  mayStay?(server: Server): boolean
  /** Prepares a new connection, for example subscribes. */
  prepare(link: Link): Promise<unknown>
  /** Milliseconds for which a working connection may send nothing, because it runs a blocking command. */
  blockedMs?: number
}

/**
 * An additional connection of the store. Each attempt uses the client's current options and server, so that it succeeds
 * after a change of the password or a failover. PING detects a half-open connection: anything that comes from Redis
 * proves that the connection works. While the client is closed, no attempt is made.
 *
 * A client that connects again may be led to another server, for example by a Sentinel, while the old one goes on. So
 * after each connection of the client, the servers are compared, and the additional connection follows. Servers of a
 * Cluster are told apart by their addresses.
 */
export class SideConnection {
  readonly #client: Client
  readonly #use: SideUse
  readonly #health: SideHealth
  readonly #maxSilent: number
  readonly #waiting = new Set<(link: Link) => void>()
  #link: Link | undefined
  #server: Server | undefined
  /** Identifies the process of the server. */
  #runId: string | undefined
  /** The client's connection that is known to lead to the same server. */
  #beside: unknown
  /** The client's connection whose server was compared last, or is being compared. */
  #compared: unknown
  #isUp = false
  #heard: unknown
  #silent = 0
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(client: Client, use: SideUse, health: SideHealth) {
    this.#client = client
    this.#use = use
    this.#health = health
    this.#maxSilent = MAX_SILENT + Math.ceil((use.blockedMs ?? 0) / HEARTBEAT_MS)
    this.#wakeIn(this.#step())
  }

  /**
   * Resolves the connection as soon as it can be used, or undefined after `timeoutMs`.
   *
   * @param over the client's connection to a server that it must lead to; undefined: that which the client is at now
   */
  ready(timeoutMs: number, over?: unknown): Promise<Link | undefined> {
    const mayUse = () => (over === undefined ? this.#isBeside() : this.#beside === over)
    if (this.#isUp && mayUse()) return Promise.resolve(this.#link)
    this.#compare()
    return new Promise((resolve) => {
      const settle = (link?: Link) => {
        if (link !== undefined && !mayUse()) return
        clearTimeout(timer)
        this.#waiting.delete(settle)
        resolve(link)
      }
      const timer = setTimeout(() => settle(), timeoutMs)
      this.#waiting.add(settle)
    })
  }

  close(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#drop()
    this.#health.up(this)
  }

  /** Opens, checks or replaces the connection. @returns milliseconds until the next step */
  #step(): number {
    if (this.#client.isClosed) {
      this.#drop()
      return HEARTBEAT_MS
    }
    if (this.#link === undefined) return this.#open()
    if (!this.#isUp) return this.#fail(`it was not there within ${OPEN_MS} ms`)
    if (this.#use.mayStay?.(this.#server as Server) === false) return this.#replace()
    this.#compare()
    return this.#beat(this.#link)
  }

  #replace(): number {
    this.#drop()
    return this.#open()
  }

  /** Whether it leads to the same server as the client's connection, if there is one. */
  #isBeside(): boolean {
    const server = this.#server as Server
    return this.#client.isCluster || !server.isReady || server.connection === this.#beside
  }

  /** Compares the servers if the client has connected since. */
  #compare(): void {
    const [link, server] = [this.#link, this.#server]
    if (!this.#isUp || this.#isBeside() || link === undefined || server === undefined) return
    const { connection } = server
    if (this.#compared === connection) return
    this.#compared = connection
    knownRunIdOf(server).then(
      (runId) => {
        if (this.#link !== link || server.connection !== connection) return
        const isFirst = this.#beside === undefined
        // Where that is not known, a link is trusted until the client connects again.
        const isSame = runId === undefined || this.#runId === undefined ? isFirst : runId === this.#runId
        if (isSame) this.#goOn(link, connection)
        else this.#wakeIn(isFirst ? this.#fail('it has reached another server than the client') : this.#replace())
      },
      // The next step compares them again.
      () => {
        this.#compared = undefined
      },
    )
  }

  /** @param beside the client's connection that leads to the same server */
  #goOn(link: Link, beside?: unknown): void {
    this.#beside = beside
    this.#health.up(this)
    for (const settle of this.#waiting) settle(link)
  }

  #open(): number {
    const server = this.#use.server()
    if (server === undefined) return HEARTBEAT_MS
    let link: Link
    try {
      link = server.beside()
    } catch (err) {
      // For example, the client has refused an option.
      return this.#fail(err)
    }
    this.#link = link
    this.#server = server
    const lost = (why: unknown) => {
      if (this.#link === link) this.#wakeIn(this.#fail(why))
    }
    link.onLost(lost)
    this.#openAt(link).then(() => this.#begin(link), lost)
    return OPEN_MS
  }

  async #openAt(link: Link): Promise<void> {
    await link.open()
    // A connection that is subscribed cannot ask.
    const runId = this.#client.isCluster ? undefined : await knownRunIdOf(link)
    if (this.#link !== link) return
    this.#runId = runId
    await this.#use.prepare(link)
  }

  #begin(link: Link): void {
    if (this.#link !== link) return
    this.#isUp = true
    this.#silent = 0
    this.#heard = undefined
    if (this.#isBeside()) this.#goOn(link)
    else this.#compare()
    this.#wakeIn(HEARTBEAT_MS)
  }

  #beat(link: Link): number {
    const { heard } = link
    this.#silent = heard === this.#heard ? this.#silent + 1 : 0
    this.#heard = heard
    if (this.#silent >= this.#maxSilent) return this.#fail(`nothing came for ${this.#silent * HEARTBEAT_MS} ms`)
    if (this.#silent === 0) this.#failures = 0
    // An error reply, for example a missing permission, proves as well that the connection works.
    link.ask('ping').catch(() => undefined)
    return HEARTBEAT_MS
  }

  /** @returns milliseconds until the next attempt */
  #fail(why: unknown): number {
    this.#drop()
    if (this.#client.isClosed) return HEARTBEAT_MS
    this.#health.down(this, why)
    this.#failures += 1
    return replyCode(why) === 'NOPERM' ? FORBIDDEN_RETRY_MS : reconnectDelay(this.#failures)
  }

  #drop(): void {
    const link = this.#link
    this.#link = undefined
    this.#server = undefined
    this.#beside = undefined
    this.#compared = undefined
    this.#isUp = false
    link?.close()
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#isOver) this.#timer = setTimeout(() => this.#wakeIn(this.#step()), ms).unref()
  }
}
