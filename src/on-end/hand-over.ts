import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DestroyReason } from '../events.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import type { Within } from '../redis/deadline.js'
import { CLAIM, type Claimed, FORGET } from '../redis/scripts/end.js'
import type { Context, EndOfLife, Remains, SessionEnding } from '../session/context.js'
import { leave } from '../session/index-entries.js'
import { hasArrived } from '../session/leftovers.js'
import { inTime } from '../session/with-timeout.js'
import { readRemains } from './ended-session.js'
import { dueSessions, schedule, scheduleExpiry, unschedule } from './queue.js'

/** If the process that ends a session stops half-way, other processes find the session after this time. */
const HAND_OVER_MS = 10_000
/** How long `onEnd` may take before any process calls it again. */
const CLAIM_MS = 60_000
const LOOK_MS = 2000
/** Interval while more sessions are due. */
const LOOK_ON_MS = 100
const RETRY_MS = 10_000
/** A session that cannot be read is tried again after this time. */
const PUZZLE_MS = 60 * 60_000
/**
 * Maximum number of concurrent calls of `onEnd`, and of sessions that wait for one. Sessions beyond that are found
 * again when they are due.
 */
const AT_ONCE = 16
const MAX_WAITING = 1000

/** When a session is due again, if its hand-over stops half-way. */
interface Noted {
  /** By `performance.now()`, before that was noted. */
  since: number
  /** The time in the queue; undefined if the queue could not be reached. */
  at: Promise<string | undefined>
}

/**
 * Hands the content of ended sessions to the application (`onEnd` option), each at least once.
 *
 *     1 END or CLAIM   sets flag E: no request can load the session any more, and its content no longer changes
 *     2 CLAIM          reserves the hand-over for this process for a minute; a process that can hand over at once does
 *                      so with END
 *     3 onEnd          the application receives the content, or the call fails
 *     4 FORGET         deletes the key, unless another process has claimed it since
 *
 * Whichever step a process stops after, the key remains, and so does its time in the queue (on-end/queue.ts), at
 * which some process finds it. This also holds for sessions that expire while no process runs, because their keys
 * outlive them by `keepMs`.
 */
export class HandOver implements EndOfLife {
  readonly #context: Context
  readonly #within: Within
  readonly #onEnd: NonNullable<Context['options']['onEnd']>
  readonly #waiting = new Map<string, () => Promise<void>>()
  readonly #running = new Map<string, Promise<void>>()
  /** Number of sessions that are being ended and will be handed over at once. */
  #expected = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #hasWarned = false
  #hasFailed = false

  /** @param within sets the deadline of the store's own commands; calls of the application are not subject to it */
  constructor(context: Context, onEnd: NonNullable<Context['options']['onEnd']>, within: Within) {
    this.#context = context
    this.#onEnd = onEnd
    this.#within = within
    this.#lookLater()
  }

  expect(storedId: string, idleMs: number, createdAtMs?: number): Promise<void> {
    return scheduleExpiry(this.#context, storedId, idleMs, createdAtMs)
  }

  ending(storedId: string): SessionEnding {
    const isFree = this.#waiting.size === 0 && this.#running.size + this.#expected < AT_ONCE
    const hasRoom = isFree && !this.#isClosed && !this.#running.has(storedId)
    const claimMs = hasRoom ? CLAIM_MS : undefined
    const since = performance.now()
    const at = schedule(this.#context, storedId, claimMs ?? HAND_OVER_MS, 'exactly').catch(() => undefined)
    if (hasRoom) this.#expected += 1
    return {
      claimMs,
      settled: (claimed) => {
        if (hasRoom) this.#expected -= 1
        if (claimed === undefined) this.#goOn()
        else void this.#run(storedId, () => this.#handOver(storedId, claimed, { since, at }))
      },
    }
  }

  /** Enqueues the hand-over of a session that has just ended. The caller does not wait for it. */
  take(storedId: string): void {
    this.#enqueue(storedId, async () => {
      try {
        await this.#claim(storedId)
      } catch (err) {
        // Sessions that cannot be reached must not stay in the queue ahead of those that can.
        await schedule(this.#context, storedId, RETRY_MS, 'looked')
        throw err
      }
    })
  }

  /** Hands over content that is no longer in Redis, so that no other process could do it. */
  deliver(storedId: string, remains: Remains, reason: DestroyReason, endedAt = new Date()): void {
    this.#waiting.set(`content ${randomUUID()}`, async () => {
      if ((await this.#tell(storedId, remains, endedAt, reason)) !== 'failed') return
      setTimeout(() => this.deliver(storedId, remains, reason, endedAt), CLAIM_MS).unref()
    })
    this.#goOn()
  }

  /** Hands over a session ahead of those that wait. Resolves when this process has finished with it. */
  handOver(storedId: string): Promise<void> {
    this.#waiting.delete(storedId)
    return this.#running.get(storedId) ?? this.#run(storedId, () => this.#claim(storedId))
  }

  /** Waits for running calls of the application, but no longer than the claims last. */
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
    // The random delay keeps processes from looking at the same moment.
    const inMs = ms * (0.75 + Math.random() / 2)
    this.#timer = setTimeout(() => {
      void this.#look().then((isMore) => this.#lookLater(isMore ? LOOK_ON_MS : LOOK_MS))
    }, inMs).unref()
  }

  /** Looks for sessions that are due. Resolves to whether there may be more than it has found. */
  async #look(): Promise<boolean> {
    // Commands that are sent while Redis is not connected would pile up.
    if (!this.#context.options.client.isReady) return false
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
    if (this.#isClosed || this.#running.has(storedId) || this.#waiting.size >= MAX_WAITING) return
    this.#waiting.set(storedId, work)
    this.#goOn()
  }

  #goOn(): void {
    for (const [storedId, work] of this.#waiting) {
      if (this.#running.size + this.#expected >= AT_ONCE) return
      this.#waiting.delete(storedId)
      void this.#run(storedId, work)
    }
  }

  #run(storedId: string, work: () => Promise<void>): Promise<void> {
    // A session whose hand-over fails is due again when its claim ends.
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
    const since = performance.now()
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
    // If the queue is unreachable, hand over anyway: the application can receive the content now.
    const at = schedule(context, storedId, CLAIM_MS, 'exactly').catch(() => undefined)
    await this.#handOver(storedId, reply, { since, at })
  }

  async #handOver(storedId: string, claimed: Claimed, noted: Noted): Promise<void> {
    const { reason, endedAt, hasEndedNow, fields } = claimed
    const context = this.#context
    const at = await this.#within(noted.at).catch(() => undefined)
    if (hasEndedNow) {
      context.announcer.announceEnd(storedId, reason)
      await this.#within(leave(context, storedId, entriesIn(pairsOf(fields))))
    }
    const outcome = await this.#tell(storedId, { fields }, endedAt, reason)
    if (outcome === 'failed') return
    // Keep the key as evidence until it expires. Another process may also have the encryption key to read it.
    if (outcome === 'unreadable') return void (await this.#within(schedule(context, storedId, PUZZLE_MS, 'exactly')))
    await this.#forget(storedId, claimed, at, performance.now() - noted.since < CLAIM_MS / 2)
  }

  /** @param isOurs whether no other process can have claimed the session since */
  async #forget(storedId: string, { told }: Claimed, at: string | undefined, isOurs: boolean): Promise<void> {
    const context = this.#context
    const { gateway, keys } = context
    const forgetting = this.#within(gateway.script(FORGET, keys.session(storedId), [told]))
    const drop = () => this.#within(unschedule(context, storedId, at))
    const dropping = isOurs && gateway.keepsOrder ? drop() : undefined
    const [forgotten] = await Promise.all([forgetting, dropping])
    // Another process may have claimed the session since, and may have been killed before it noted when its claim
    // ends. The time that this process noted must stay then.
    if (forgotten !== 'taken') await (dropping ?? drop())
    else if (dropping) await this.#within(schedule(context, storedId, CLAIM_MS, 'looked'))
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
    // The error is not included, because its message may quote the session.
    const what = outcome === 'failed' ? 'onEnd failed' : 'onEnd has taken longer than a minute'
    this.#warn(`${what} for a session that has ended; it is called again in a minute`)
    return 'failed'
  }

  #warn(message: string): void {
    this.#context.announcer.announce('warning', { code: 'on-end-failed', message })
  }
}
