import type { Announcer, SessionEvents } from '../events.js'
import { handleOf, type StoredIds } from '../ids/sid.js'
import { Channel } from '../redis/channel.js'
import { SideHealth } from '../redis/side-health.js'
import type { Context } from '../session/context.js'
import { firstOf } from '../session/first-found.js'
import { inspectSession } from '../session/inspect.js'

export type EndReason = SessionEvents['ended']['reason']

const REASONS: Readonly<Record<EndReason, 0>> = {
  destroyed: 0,
  expired: 0,
  revoked: 0,
  evicted: 0,
  reuse: 0,
  invalid: 0,
  mismatch: 0,
  rotated: 0,
}

/** How often a watched session is looked at, for what nobody has told of: it expired, or a message was lost. */
const LOOK_MS = 60_000
/** Redis lets a key expire a little late. */
const LATE_MS = 50
const RETRY_MS = 5000
const NEWS_MS = 500

/** Tells of sessions that have ended, in this process and (`broadcast` option) in others. */
export class Endings {
  readonly #context: Context
  readonly #announcer: Announcer
  readonly #channel: Channel | undefined
  readonly #watches = new Map<string, Set<Watch>>()

  constructor(context: Context) {
    this.#context = context
    this.#announcer = context.announcer
    if (!context.options.broadcast) return
    const { client, prefix } = context.options
    const health = new SideHealth('broadcast', context.announcer)
    this.#channel = new Channel(client, `idx:${prefix}@ended`, (message) => this.#heard(message), health)
    this.#channel.open()
  }

  /** In this process. */
  happened(handle: string, reason: EndReason): void {
    this.#channel?.send(JSON.stringify([handle, reason]))
    this.#tell(handle, reason)
  }

  /**
   * @param storedIds under which the session may be found
   * @returns stops watching
   */
  watch(storedIds: StoredIds, onEnd: (reason: EndReason) => void): () => void {
    const handles = storedIds.map(handleOf)
    const watch = new Watch(this.#context, storedIds, (reason) => {
      stop()
      onEnd(reason)
    })
    for (const handle of handles) this.#watches.set(handle, (this.#watches.get(handle) ?? new Set()).add(watch))
    const stop = () => {
      watch.stop()
      for (const handle of handles) {
        const watches = this.#watches.get(handle)
        watches?.delete(watch)
        if (watches?.size === 0) this.#watches.delete(handle)
      }
    }
    watch.start()
    return stop
  }

  close(): void {
    this.#channel?.close()
    for (const watches of this.#watches.values()) for (const watch of watches) watch.stop()
    this.#watches.clear()
  }

  /** Anybody with access to Redis may have sent it. */
  #heard(message: string): void {
    let parsed: unknown
    try {
      parsed = JSON.parse(message)
    } catch {
      return
    }
    const [handle, reason] = Array.isArray(parsed) ? (parsed as unknown[]) : []
    if (typeof handle !== 'string' || typeof reason !== 'string' || !Object.hasOwn(REASONS, reason)) return
    this.#tell(handle, reason as EndReason)
  }

  #tell(handle: string, reason: EndReason): void {
    for (const watch of [...(this.#watches.get(handle) ?? [])]) watch.end(reason)
    this.#announcer.announce('ended', { handle, reason })
  }
}

/** One session that somebody wants to know the end of. */
class Watch {
  readonly #context: Context
  readonly #storedIds: StoredIds
  readonly #onEnd: (reason: EndReason) => void
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(context: Context, storedIds: StoredIds, onEnd: (reason: EndReason) => void) {
    this.#context = context
    this.#storedIds = storedIds
    this.#onEnd = onEnd
  }

  /** It may have ended since it was loaded. */
  start(): void {
    this.#lookIn(0)
  }

  end(reason: EndReason): void {
    if (this.#isOver) return
    this.stop()
    this.#onEnd(reason)
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #lookIn(ms: number): void {
    if (this.#isOver) return
    this.#timer = setTimeout(() => {
      this.#look().then(
        (next) => (next === undefined ? this.#endSoon() : this.#lookIn(next)),
        // Redis is away: nothing is known of the session.
        () => this.#lookIn(RETRY_MS),
      )
    }, ms).unref()
  }

  /** Why it is gone may still be on its way here. */
  #endSoon(): void {
    if (this.#isOver) return
    this.#timer = setTimeout(() => this.end('expired'), NEWS_MS).unref()
  }

  /** When to look again; undefined if the session is gone. Whichever of its ids is the current one does not matter here. */
  async #look(): Promise<number | undefined> {
    const found = await firstOf(this.#storedIds, (storedId) => inspectSession(this.#context, storedId))
    if (found === null) return undefined
    const left = found.info.expiresAt === null ? LOOK_MS : found.info.expiresAt.getTime() - Date.now()
    return Math.max(LATE_MS, Math.min(LOOK_MS, left + LATE_MS))
  }
}
