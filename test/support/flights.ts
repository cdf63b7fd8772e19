import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Script } from '../../src/redis/scripts/script.js'
import { firstCommand } from './guarded-line.js'

/** A client is quiet once it has sent nothing for so many milliseconds, and for so many turns of the event loop after that. */
const QUIET_MS = 5
const QUIET_TURNS = 20

/** The commands that were sent without waiting for each other's replies: names of commands, and of scripts. */
export type Flight = readonly string[]

export interface Journey {
  /** The flights whose replies the work has waited for. */
  needed: Flight[]
  /** The flights that came after the work was done, until nothing more was sent. */
  later: Flight[]
}

interface Line {
  redis: Socket
  client: Socket
  /** Replies that are held back. */
  held: Buffer
  /** Text that ends the replies to all commands sent before it. */
  barrier: string
  passed: (() => void) | undefined
}

/**
 * Counts round trips one after the other, on lines to any number of servers. No reply arrives before the client has
 * sent everything that it sends without one, and Redis has answered all of that: so each release of replies is one round
 * trip that the client has waited for. It must run in the process of the client, where a turn of the event loop is the
 * same for both, however busy the machine is.
 */
export class Flights {
  readonly #names: ReadonlyMap<string, string>
  readonly #servers: Server[] = []
  readonly #lines = new Set<Line>()
  #sent: string[] = []
  #flights: Flight[] = []
  #activity = 0
  #isHolding = false
  #barriers = 0

  /** @param scripts shown by name; any other is shown by its digest */
  constructor(scripts: readonly Script[] = []) {
    this.#names = new Map(scripts.flatMap(({ name, sha, lua }) => [sha, lua].map((text) => [text, name] as const)))
  }

  /** Opens a line to a server. Resolves its port on 127.0.0.1. */
  async lineTo(target: NetConnectOpts): Promise<number> {
    const server = createServer((client) => this.#join(client, connect(target))).listen(0, '127.0.0.1')
    this.#servers.push(server)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  /** Returns the flights of some work, and rejects if the work does. */
  async during(work: () => Promise<unknown>): Promise<Journey> {
    await this.#quiet()
    this.#isHolding = true
    this.#flights = []
    let needed: number | undefined
    const working = work().finally(() => {
      needed = this.#flights.length
    })
    working.catch(() => undefined)
    await this.#quiet()
    while (needed === undefined || this.#sent.length > 0) {
      if (this.#sent.length > 0) await this.#land()
      await this.#quiet()
    }
    this.#isHolding = false
    await working
    return { needed: this.#flights.slice(0, needed), later: this.#flights.slice(needed) }
  }

  async close(): Promise<void> {
    for (const { client, redis } of this.#lines) for (const socket of [client, redis]) socket.destroy()
    for (const server of this.#servers) server.close()
  }

  #join(client: Socket, redis: Socket): void {
    const line: Line = { client, redis, held: Buffer.alloc(0), barrier: '', passed: undefined }
    this.#lines.add(line)
    let unread = Buffer.alloc(0)
    client.setNoDelay(true)
    client.on('data', (chunk) => {
      this.#activity += 1
      redis.write(chunk)
      unread = Buffer.concat([unread, chunk])
      for (let next = firstCommand(unread); next !== undefined; next = firstCommand(unread)) {
        unread = unread.subarray(next.bytes)
        if (this.#isHolding) this.#sent.push(this.#nameOf(next.args))
      }
    })
    redis.on('data', (chunk) => {
      line.held = Buffer.concat([line.held, chunk])
      if (!this.#isHolding) this.#release(line)
      else if (line.barrier !== '' && line.held.toString('latin1').endsWith(line.barrier)) line.passed?.()
    })
    for (const socket of [client, redis]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#lines.delete(line)
        line.passed?.()
        client.destroy()
        redis.destroy()
      })
    }
  }

  /** Waits until Redis has answered all commands, and then lets the client have the replies. */
  async #land(): Promise<void> {
    let seen: number
    do {
      seen = this.#activity
      await Promise.all([...this.#lines].map((line) => this.#answered(line)))
      await this.#quiet()
    } while (this.#activity !== seen)
    this.#flights.push(this.#sent.splice(0))
    for (const line of this.#lines) this.#release(line)
  }

  /** Redis answers in order: once it has answered a command of ours, it has answered all before it. */
  async #answered(line: Line): Promise<void> {
    const token = `flight-${this.#barriers++}`
    line.barrier = `$${token.length}\r\n${token}\r\n`
    const passed = new Promise<void>((resolve) => {
      line.passed = resolve
    })
    line.redis.write(`*2\r\n$4\r\nECHO\r\n${line.barrier}`)
    await passed
    line.held = line.held.subarray(0, line.held.length - line.barrier.length)
    line.barrier = ''
  }

  #release(line: Line): void {
    if (line.held.length === 0) return
    line.client.write(line.held)
    line.held = Buffer.alloc(0)
  }

  async #quiet(): Promise<void> {
    let seen: number
    do {
      seen = this.#activity
      await sleep(QUIET_MS)
      for (let turn = 0; turn < QUIET_TURNS; turn++) await nextTurn()
    } while (this.#activity !== seen)
  }

  #nameOf([name = '', digest = '']: readonly string[]): string {
    const command = name.toLowerCase()
    return command === 'evalsha' || command === 'eval' ? (this.#names.get(digest) ?? digest) : command.toUpperCase()
  }
}
