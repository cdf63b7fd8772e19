import type { Within } from '../redis/deadline.js'
import { COUNT_ACTIVE } from '../redis/scripts/count-active.js'
import type { Context } from '../session/context.js'

export type ActivityStep = 'minute' | 'hour' | 'day'
type Counted = 'users' | 'sessions'

export interface ActivityRange {
  /** Beginning: a Date, or milliseconds since 1970; the step it is in counts whole. */
  from: Date | number
  /** End; the step it is in counts, unless it is just beginning. Default: now. */
  to?: Date | number
  step: ActivityStep
}

/** Different users and sessions that were active in one step, to within a percent or so (HyperLogLog). */
export interface ActivityPoint {
  /** When the step began; steps begin with the minute, hour and day of UTC. */
  at: Date
  users: number
  sessions: number
}

export interface ActivityReport {
  points: ActivityPoint[]
  /** Per step, over all points. */
  average: { users: number; sessions: number }
}

const DAY_MS = 86_400_000
/** How long a step is, and how long its count is kept. */
const STEPS: Readonly<Record<ActivityStep, { ms: number; keptMs: number }>> = {
  minute: { ms: 60_000, keptMs: 2 * DAY_MS },
  hour: { ms: 3_600_000, keptMs: 62 * DAY_MS },
  day: { ms: DAY_MS, keptMs: 2 * 366 * DAY_MS },
}
const NAMES = Object.keys(STEPS) as ActivityStep[]
/** How long something may wait in this process: what a crash loses. */
const FLUSH_MS = 5000
/** No more than this is noted in one minute, not even while Redis is away. */
const MOST_KEPT = 100_000
const MOST_POINTS = 10_000
/** How many counts are asked for at a time. */
const BATCH = 200

/**
 * Counts who is active. A request only notes it here; every few seconds that goes to Redis, for the minute, the hour and
 * the day it happened in. So counting costs no request a round trip, and Redis holds numbers, no names.
 */
export class Activity {
  readonly #context: Context
  readonly #within: Within
  /** By the minute: what is noted now may be sent in the next one. */
  readonly #noted = new Map<number, Record<Counted, Set<string>>>()
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined

  constructor(context: Context, within: Within) {
    this.#context = context
    this.#within = within
  }

  /** @param users whose session it is */
  note(storedId: string, users: readonly string[]): void {
    const minute = startOf(Date.now(), 'minute')
    const noted = this.#noted.get(minute) ?? { users: new Set(), sessions: new Set() }
    if (noted.sessions.size + noted.users.size >= MOST_KEPT) return
    this.#noted.set(minute, noted)
    noted.sessions.add(storedId)
    for (const user of users) noted.users.add(user)
    // What has not been sent when the process ends is lost; it must not keep the process alive.
    this.#timer ??= setTimeout(() => {
      this.flush().catch(() => undefined)
    }, FLUSH_MS).unref()
  }

  /** Sends what has been noted. What Redis does not take is kept for the next time. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#flushing ??= this.#send().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  /** @throws TypeError for a range that is none */
  async read(range: ActivityRange): Promise<ActivityReport> {
    const starts = startsOf(range)
    await this.flush()
    const points: ActivityPoint[] = []
    for (let at = 0; at < starts.length; at += BATCH) {
      const batch = starts.slice(at, at + BATCH)
      points.push(...(await this.#within(Promise.all(batch.map((start) => this.#point(range.step, start))))))
    }
    return { points, average: { users: average(points, 'users'), sessions: average(points, 'sessions') } }
  }

  async #point(step: ActivityStep, start: number): Promise<ActivityPoint> {
    const { gateway, keys } = this.#context
    const [users, sessions] = await Promise.all(
      (['users', 'sessions'] as const).map((counted) => gateway.pfcount(keys.activity(counted, step, start))),
    )
    return { at: new Date(start), users: users as number, sessions: sessions as number }
  }

  async #send(): Promise<void> {
    const noted = [...this.#noted]
    this.#noted.clear()
    for (const [minute, { users, sessions }] of noted) {
      try {
        await this.#within(Promise.all([this.#add('users', minute, users), this.#add('sessions', minute, sessions)]))
      } catch (err) {
        this.#putBack(minute, users, sessions)
        throw err
      }
    }
  }

  #putBack(minute: number, users: Set<string>, sessions: Set<string>): void {
    const noted = this.#noted.get(minute) ?? { users: new Set<string>(), sessions: new Set<string>() }
    for (const user of users) noted.users.add(user)
    for (const storedId of sessions) noted.sessions.add(storedId)
    this.#noted.set(minute, noted)
  }

  async #add(counted: Counted, minute: number, who: Set<string>): Promise<void> {
    const { gateway, keys } = this.#context
    if (who.size === 0) return
    await Promise.all(
      NAMES.map((step) => {
        const key = keys.activity(counted, step, startOf(minute, step))
        return gateway.script(COUNT_ACTIVE, key, [STEPS[step].keptMs, ...who])
      }),
    )
  }
}

function startOf(ms: number, step: ActivityStep): number {
  return ms - (ms % STEPS[step].ms)
}

function startsOf({ from, to = Date.now(), step }: ActivityRange): number[] {
  if (!Object.hasOwn(STEPS, step)) throw new TypeError(`"step" option must be one of ${NAMES.join(', ')}`)
  const [first, end] = [Number(from), Number(to)]
  if (!Number.isFinite(first) || !Number.isFinite(end) || first > end) {
    throw new TypeError(
      '"from" and "to" options must be Dates, or milliseconds since 1970, the end not before the beginning',
    )
  }
  const { ms } = STEPS[step]
  const start = startOf(first, step)
  const count = Math.max(1, Math.ceil((end - start) / ms))
  if (count > MOST_POINTS) {
    throw new TypeError(
      `"step" option makes ${count} points of this range, more than ${MOST_POINTS}: take a longer one`,
    )
  }
  return Array.from({ length: count }, (_, i) => start + i * ms)
}

function average(points: readonly ActivityPoint[], counted: Counted): number {
  return points.reduce((sum, point) => sum + point[counted], 0) / points.length
}
