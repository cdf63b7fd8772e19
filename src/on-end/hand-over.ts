import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import type { Within } from '../redis/deadline.js'
import { CLAIM, type Claimed, FORGET } from '../redis/scripts/end.js'
import type { Context, EndOfLife, Remains } from '../session/context.js'
import { leave } from '../session/index-entries.js'
import { hasArrived } from '../session/leftovers.js'
import { inTime } from '../session/with-timeout.js'
import { readRemains } from './ended-session.js'
import { dueSessions, schedule, scheduleExpiry, unschedule } from './queue.js'

/** If whoever ends a session stops half-way, others find out after this time. */
const HAND_OVER_MS = 10_000
/** How long `onEnd` may take before it is called again, by whichever process. */
const CLAIM_MS = 60_000
const LOOK_MS = 2000
/** While there are more. */
const LOOK_ON_MS = 100
const RETRY_MS = 10_000
/** What cannot be read is tried again after this time. */
const PUZZLE_MS = 60 * 60_000
/** Calls of `onEnd` at a time, and sessions in line for it: what is more is found again when it is due. */
const AT_ONCE = 16
const MOST_WAITING = 1000

/**
 * Hands the content of sessions that have ended to the application (`onEnd` option), each at least once.
 *
 *     1 END or CLAIM   flag E: a session for nobody any more, and its content changes no more
 *     2 CLAIM          for a minute it is this process that hands it over
 *     3 onEnd          the application has got it, or it has failed
 *     4 FORGET         the key is deleted, unless somebody else has claimed it since
 *
 * Whichever step a process stops after, the key is there, and its time in the queue (on-end/queue.ts): some process
 * finds it when that comes. That also holds for sessions that expire while no process runs, as their keys
 * outlive them by `keepMs`.
 */
export class HandOver implements EndOfLife {
  readonly #context: Context
  readonly #within: Within
  readonly #onEnd: NonNullable<Context['options']['onEnd']>
  readonly #waiting = new Map<string, () => Promise<void>>()
  readonly #running = new Map<string, Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #hasWarned = false
  #hasFailed = false

  /** @param within gives our own commands their deadline; what the application does takes its time */
  constructor(context: Context, onEnd: NonNullable<Context['options']['onEnd']>, within: Within) {
    this.#context = context
    this.#onEnd = onEnd
    this.#within = within
    this.#lookLater()
  }

  expect(storedId: string, idleMs: number, createdAtMs?: number): Promise<void> {
    return scheduleExpiry(this.#context, storedId, idleMs, createdAtMs)
  }

  async ending(storedId: string): Promise<void> {
    await schedule(this.#context, storedId, HAND_OVER_MS, 'exactly').catch(() => undefined)
  }

  /** Of a session that has ended just now. Whoever ended it does not wait. */
  take(storedId: string): void {
    this.#enqueue(storedId, async () => {
      try {
        await this.#claim(storedId)
      } catch (err) {
        // Those that cannot be reached must not stay in front of those that can.
        await schedule(this.#context, storedId, RETRY_MS, 'looked')
        throw err
      }
    })
  }

  /** The same where nothing is left in Redis, and nobody else could. */
  deliver(storedId: string, remains: Remains, reason: DestroyReason, endedAt = new Date()): void {
    this.#waiting.set(`content ${randomUUID()}`, async () => {
      if ((await this.#tell(storedId, remains, endedAt, reason)) !== 'failed') return
      setTimeout(() => this.deliver(storedId, remains, reason, endedAt), CLAIM_MS).unref()
    })
    this.#goOn()
  }

  /** The same, out of line. Resolves when this process is no longer at it. */
  handOver(storedId: string): Promise<void> {
    this.#waiting.delete(storedId)
    return this.#running.get(storedId) ?? this.#run(storedId, () => this.#claim(storedId))
  }

  /** Waits for the application, but no longer than its claims last. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await Promise.race([this.#idle(), sleep(CLAIM_MS, undefined, { ref: false })])
  }

  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running.values())
  }

  #lookLater(ms = LOOK_MS): void {
    if (this.#isClosed) return
    // Not all processes at the same moment.
    const inMs = ms * (0.75 + Math.random() / 2)
    this.#timer = setTimeout(() => {
      void this.#look().then((isMore) => this.#lookLater(isMore ? LOOK_ON_MS : LOOK_MS))
    }, inMs).unref()
  }

  /** Resolves whether there may be more than it has found. */
  async #look(): Promise<boolean> {
    // What is sent while Redis is away would pile up.
    if (this.#context.options.client.status !== 'ready') return false
    if (this.#waiting.size > 0) return true
    const hasFailed = this.#hasFailed
    this.#hasFailed = false
    if (hasFailed) return false
    const { storedIds, isMore, failure } = await dueSessions(this.#context, this.#within)
    for (const storedId of storedIds) this.take(storedId)
    if (failure && !this.#hasWarned) this.#warn(`cannot look for sessions that have ended: ${failure.message}`)
    this.#hasWarned = failure !== undefined
    return isMore
  }

  #enqueue(storedId: string, work: () => Promise<void>): void {
    if (this.#isClosed || this.#running.has(storedId) || this.#waiting.size >= MOST_WAITING) return
    this.#waiting.set(storedId, work)
    this.#goOn()
  }

  #goOn(): void {
    for (const [storedId, work] of this.#waiting) {
      if (this.#running.size >= AT_ONCE) return
      this.#waiting.delete(storedId)
      void this.#run(storedId, work)
    }
  }

  #run(storedId: string, work: () => Promise<void>): Promise<void> {
    // What fails is due again when its claim is over.
    const running = work()
      .catch(() => {
        this.#hasFailed = true
      })
      .finally(() => {
        this.#running.delete(storedId)
        this.#goOn()
      })
    this.#running.set(storedId, running)
    return running
  }

  async #claim(storedId: string): Promise<void> {
    const context = this.#context
    const { gateway, keys, options } = context
    const key = keys.session(storedId)
    const reply = await this.#within(gateway.script(CLAIM, key, [options.absoluteMs ?? '', CLAIM_MS, options.keepMs]))
    if (reply.kind === 'nothing') return this.#within(unschedule(context, storedId))
    if (reply.kind === 'arriving') {
      if (await this.#within(hasArrived(context, storedId))) return this.#claim(storedId)
      return void (await this.#within(schedule(context, storedId, RETRY_MS, 'looked')))
    }
    if (reply.kind !== 'claimed') {
      if (reply.leftMs < 0) return this.#within(unschedule(context, storedId))
      await this.#within(schedule(context, storedId, reply.leftMs, reply.kind === 'alive' ? 'looked' : 'claimed'))
      return
    }
    await this.#handOver(storedId, reply)
  }

  async #handOver(storedId: string, { told, reason, endedAt, hasEndedNow, fields }: Claimed): Promise<void> {
    const context = this.#context
    const { gateway, keys } = context
    // Told all the same where nobody can be told to look: the application may get it now.
    const at = await this.#within(schedule(context, storedId, CLAIM_MS, 'exactly')).catch(() => undefined)
    if (hasEndedNow) {
      context.announcer.announceEnd(storedId, reason)
      await this.#within(leave(context, storedId, entriesIn(pairsOf(fields))))
    }
    const outcome = await this.#tell(storedId, { fields }, endedAt, reason)
    if (outcome === 'failed') return
    // Left as evidence until it goes away by itself; and another process may hold the key to it.
    if (outcome === 'unreadable') return void (await this.#within(schedule(context, storedId, PUZZLE_MS, 'exactly')))
    const forgotten = await this.#within(gateway.script(FORGET, keys.session(storedId), [told]))
    // Whoever has taken it on since may have been killed before he noted when his claim ends: our time must stay, then.
    if (forgotten !== 'taken') await this.#within(unschedule(context, storedId, at))
  }

  async #tell(
    storedId: string,
    remains: Remains,
    endedAt: Date,
    reason: DestroyReason,
  ): Promise<'told' | 'failed' | 'unreadable'> {
    const ended = await readRemains(this.#context, storedId, remains, endedAt)
    if (ended === null) return 'unreadable'
    const outcome = await inTime(CLAIM_MS, async () => this.#onEnd(ended, reason))
    if (outcome === 'done') return 'told'
    // What the application throws may quote the session.
    const what = outcome === 'failed' ? 'onEnd failed' : 'onEnd has taken longer than a minute'
    this.#warn(`${what} for a session that has ended; it is called again in a minute`)
    return 'failed'
  }

  #warn(message: string): void {
    this.#context.announcer.announce('warning', { code: 'on-end-failed', message })
  }
}
