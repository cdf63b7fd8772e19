import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from 'node:net'

type State = 'good' | 'silent' | 'stalled' | 'refusing'

/** A TCP link to Redis that can be slow or broken in the ways in which real links are. */
export class Link {
  #target: NetConnectOpts
  readonly #sockets = new Set<Socket>()
  #waiting: (() => void)[] = []
  #delayMs = 0
  #idleMs = Number.POSITIVE_INFINITY
  #state: State = 'good'
  #server = createServer()

  constructor(target: NetConnectOpts) {
    this.#target = target
  }

  async open(): Promise<void> {
    this.#server.on('connection', (client) => {
      if (this.#state === 'refusing') {
        client.destroy()
        return
      }
      const redis = connect(this.#target)
      const heard = this.#memory()
      this.#join(client, redis, heard)
      this.#join(redis, client, heard)
    })
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Leads new connections to another server, as the address of a primary does after a failover. */
  leadTo(target: NetConnectOpts): void {
    this.#target = target
  }

  /** Milliseconds each way. */
  slow(ms: number): void {
    this.#delayMs = ms
  }

  /**
   * Forgets each new connection once nothing has passed over it for so long, as NAT gateways and load balancers do: what
   * comes afterwards is lost without an error. Milliseconds.
   */
  forgetIdle(ms: number): void {
    this.#idleMs = ms
  }

  /** `silent`: data is lost without an error (half-open). `stalled`: data arrives later. */
  become(state: State): void {
    this.#state = state
    if (state === 'refusing') this.reset()
    if (state !== 'good') return
    for (const go of this.#waiting.splice(0)) go()
  }

  reset(): void {
    this.#waiting = []
    for (const socket of this.#sockets) {
      // A Unix socket cannot be reset.
      if (socket.remoteAddress === undefined) socket.destroy()
      else socket.resetAndDestroy()
    }
  }

  async close(): Promise<void> {
    this.#waiting = []
    // A reset would wait for a connection that is still being made.
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  /** Returns a function to call for each chunk of a connection; it tells whether the connection is still known. */
  #memory(): () => boolean {
    const ms = this.#idleMs
    let last = performance.now()
    return () => {
      const now = performance.now()
      const isKnown = now - last < ms
      if (isKnown) last = now
      return isKnown
    }
  }

  #join(from: Socket, to: Socket, heard: () => boolean): void {
    const pass = (chunk: Buffer) => {
      if (!to.destroyed) to.write(chunk)
    }
    const delayed: Buffer[] = []
    from.setNoDelay(true)
    from.on('data', (chunk) => {
      if (this.#state === 'silent' || !heard()) return
      if (this.#state === 'stalled') this.#waiting.push(() => pass(chunk))
      else if (this.#delayMs === 0 && delayed.length === 0) pass(chunk)
      else {
        delayed.push(chunk)
        // Keep the order of data even if the link becomes faster.
        setTimeout(() => pass(delayed.shift() as Buffer), this.#delayMs)
      }
    })
    this.#sockets.add(from)
    from.on('error', () => {})
    from.once('close', () => {
      this.#sockets.delete(from)
      // Earlier data must arrive before the end of the connection.
      if (this.#state === 'stalled') this.#waiting.push(() => to.end())
      else if (this.#state === 'good') setTimeout(() => to.destroy(), this.#delayMs)
    })
  }
}
