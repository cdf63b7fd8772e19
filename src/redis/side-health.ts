import type { Announcer, SideConnectionKind } from '../events.js'
import { fromRedis } from './redis-error.js'

/**
 * Milliseconds for which connections must last before they are reported as back. A flapping connection is one outage.
 */
const STEADY_MS = 1000
/**
 * Milliseconds to wait for the next attempt before an outage is reported. Its error says more than the loss itself, for
 * example that the password is wrong.
 */
const REASON_MS = 1000

const NAMES: Readonly<Record<SideConnectionKind, readonly [name: string, meanwhile: string]>> = {
  cache: ['near cache', 'every session is read from Redis'],
  broadcast: ['broadcast', 'it is known up to a minute late that a session has ended in another process'],
  replicas: ['replicas', 'ending a session fails with ERR_SESSION_NOT_REPLICATED'],
}

/** Warns once when connections of one kind are down, and once when all of them are back. */
export class SideHealth {
  readonly #kind: SideConnectionKind
  readonly #announcer: Announcer
  readonly #down = new Set<object>()
  #since: Date | undefined
  /** Reports the outage; undefined once it has been reported. */
  #tellWhy: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(kind: SideConnectionKind, announcer: Announcer) {
    this.#kind = kind
    this.#announcer = announcer
  }

  /**
   * @param who the connection that is down; a Cluster has several
   * @param why its error, or a sentence
   */
  down(who: object, why: unknown): void {
    if (this.#isClosed) return
    this.#down.add(who)
    if (this.#since === undefined) {
      this.#since = new Date()
      this.#tellWhy = () => this.#tellDown(why)
      this.#timer = setTimeout(this.#tellWhy, REASON_MS).unref()
    } else if (this.#tellWhy !== undefined) this.#tellDown(why)
    else clearTimeout(this.#timer)
  }

  /** Call this when a connection works, or is no longer needed. */
  up(who: object): void {
    if (!this.#down.delete(who) || this.#down.size > 0 || this.#isClosed) return
    this.#tellWhy?.()
    this.#timer = setTimeout(() => {
      this.#tell('side-connection-up', `the connection of ${NAMES[this.#kind][0]} is back`)
      this.#since = undefined
    }, STEADY_MS).unref()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #tellDown(why: unknown): void {
    this.#tellWhy = undefined
    clearTimeout(this.#timer)
    const [name, meanwhile] = NAMES[this.#kind]
    const reason = typeof why === 'string' ? why : fromRedis(why, 'connecting', false).message
    this.#tell('side-connection-down', `the connection of ${name} is down: ${reason}. Meanwhile ${meanwhile}`)
  }

  #tell(code: 'side-connection-down' | 'side-connection-up', message: string): void {
    if (code === 'side-connection-down') this.#announcer.sidesDown.add(this.#kind)
    else this.#announcer.sidesDown.delete(this.#kind)
    this.#announcer.announce('warning', { code, message, kind: this.#kind, since: this.#since as Date })
  }
}
