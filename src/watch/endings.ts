import type { Announcer, EndedSession, SessionEvents } from '../events.js'
import { handleOf } from '../ids/handle.js'
import type { StoredIds } from '../ids/id-mapper.js'
import { Channel, endedChannel } from '../redis/channel.js'
import { SideHealth } from '../redis/side-health.js'
import type { Context } from '../session/context.js'
import { firstOf } from '../session/first-found.js'
import { inspectSession } from '../session/inspect.js'

/** Why a session ended: a `DestroyReason`; or `rotated`, if it continues under another id. */
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

/**
 * Milliseconds between two reads of a watched session. They find ends that nobody has announced: by expiry, or because
 * a message was lost.
 */
const LOOK_MS = 60_000
/** Milliseconds to wait after the expiry, because Redis expires keys a little late. */
const LATE_MS = 50
const RETRY_MS = 5000
const NEWS_MS = 500

/** Reports ended sessions of this process and, with the `broadcast` option, of other processes. */
export class Endings {
  readonly #context: Context
  readonly #announcer: Announcer
  readonly #channel: Channel | undefined
  readonly #watches = new Map<string, Set<Watch>>()

  constructor(context: Context) {
    this.#context = context
    this.#announcer = context.announcer
    if (!context.options.broadcast) return
    const { client } = context.options
    const health = new SideHealth('broadcast', context.announcer)
    this.#channel = new Channel(client, endedChannel(context.keys), (message) => this.#heard(message), health)
    this.#channel.open()
  }

  /** Reports a session that has ended in this process. */
  happened({ storedId, handle, reason }: EndedSession): void {
    this.#channel?.send(JSON.stringify([handle, reason]), this.#context.keys.session(storedId))
    this.#tell(handle, reason)
  }

  /**
   * @param storedIds ids under which the session may be stored
   * @returns a function that ends the watch
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

  /** The message is untrusted: anybody with access to Redis can publish on the channel. */
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

/** A session whose end somebody is waiting for. */
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

  /** Begins with a read, because the session may have ended since it was loaded. */
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
        // Redis is unavailable, so the session may still exist.
        () => this.#lookIn(RETRY_MS),
      )
    }, ms).unref()
  }

  /** Waits a moment before it reports an expiry: a message with the real reason may still be on its way. */
  #endSoon(): void {
    if (this.#isOver) return
    this.#timer = setTimeout(() => this.end('expired'), NEWS_MS).unref()
  }

  /** Returns the milliseconds until the next read; undefined if the session is gone. Any of its ids will do. */
  async #look(): Promise<number | undefined> {
    const found = await firstOf(this.#storedIds, (storedId) => inspectSession(this.#context, storedId))
    if (found === null) return undefined
    const left = found.info.expiresAt === null ? LOOK_MS : found.info.expiresAt.getTime() - Date.now()
    return Math.max(LATE_MS, Math.min(LOOK_MS, left + LATE_MS))
  }
}
