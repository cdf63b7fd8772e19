import type { EventEmitter } from 'node:events'
import type { SessionErrorCode, SessionStoreError } from '../errors.js'
import { type Announcer, emitSafely } from '../events.js'

/** Failures that say Redis is away, as against those that concern one command or one session. */
const AWAY: ReadonlySet<string> = new Set<SessionErrorCode>(['ERR_SESSION_TIMEOUT', 'ERR_SESSION_UNAVAILABLE'])
const PROBE_MS = 500

/**
 * Notices when Redis goes away and when it is back, and says so: `unavailable` and `available` always, express-session's
 * `disconnect` and `connect` where the application chose to go on without sessions. While Redis is away it is probed, as
 * with `disconnect` no request comes any more that could find out.
 */
export class Availability {
  readonly #announcer: Announcer
  readonly #emitter: EventEmitter
  readonly #goOn: boolean
  readonly #probe: () => Promise<unknown>
  #downSince: number | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(announcer: Announcer, emitter: EventEmitter, goOn: boolean, probe: () => Promise<unknown>) {
    this.#announcer = announcer
    this.#emitter = emitter
    this.#goOn = goOn
    this.#probe = probe
  }

  failed(err: unknown): void {
    if (!isAway(err) || this.#downSince !== undefined || this.#closed) return
    this.#downSince = Date.now()
    this.#announcer.announce('unavailable', { code: (err as SessionStoreError).code })
    if (this.#goOn) emitSafely(this.#emitter, 'disconnect')
    this.#schedule()
  }

  succeeded(): void {
    if (this.#downSince === undefined) return
    const downMs = Date.now() - this.#downSince
    this.#downSince = undefined
    clearTimeout(this.#timer)
    this.#announcer.announce('available', { downMs })
    if (this.#goOn) emitSafely(this.#emitter, 'connect')
  }

  close(): void {
    this.#closed = true
    this.#downSince = undefined
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#probe().then(
        () => this.succeeded(),
        (err: unknown) => {
          // A Redis that forbids PING to this user is there all the same.
          if (!isAway(err)) this.succeeded()
          else if (this.#downSince !== undefined) this.#schedule()
        },
      )
    }, PROBE_MS)
    this.#timer.unref()
  }
}

function isAway(err: unknown): boolean {
  return AWAY.has((err as { code?: string }).code ?? '')
}
