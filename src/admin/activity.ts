import type { Within } from '../redis/deadline.js'
import { COUNT_ACTIVE } from '../redis/scripts/count-active.js'
import type { Context } from '../session/context.js'

/** Length of the steps. Redis keeps the counts of minutes for 2 days, of hours for 62 days, of days for 2 years. */
export type ActivityStep = 'minute' | 'hour' | 'day'
type Counted = 'users' | 'sessions'

/** The argument of `store.activity.read`. A range has at most 10,000 steps. */
export interface ActivityRange {
  /** Start of the range: a Date, or milliseconds since 1970. The step that contains it is included as a whole. */
  from: Date | number
  /**
   * End of the range: a Date, or milliseconds since 1970. The step that contains it is included, unless it begins
   * exactly then. Default: now.
   */
  to?: Date | number
  /** Length of each step. */
  step: ActivityStep
}

/** Numbers of users and sessions that were active during one step, with an error of about one percent (HyperLogLog). */
export interface ActivityPoint {
  /** When the step began. Steps are whole minutes, hours and days in UTC. */
  at: Date
  /** Number of different users. */
  users: number
  /** Number of different sessions. */
  sessions: number
}

export interface ActivityReport {
  /** The steps of the range, earliest first. */
  points: ActivityPoint[]
  /** Average number of users and of sessions per step, over all points. */
  average: { users: number; sessions: number }
}

const DAY_MS = 86_400_000
/** Length of each step, and how long its count is kept, in milliseconds. */
const STEPS: Readonly<Record<ActivityStep, { ms: number; keptMs: number }>> = {
  minute: { ms: 60_000, keptMs: 2 * DAY_MS },
  hour: { ms: 3_600_000, keptMs: 62 * DAY_MS },
  day: { ms: DAY_MS, keptMs: 2 * 366 * DAY_MS },
}
const NAMES = Object.keys(STEPS) as ActivityStep[]
/** Maximum time that activity waits in this process, in milliseconds. A crash loses it. */
const FLUSH_MS = 5000
/** Maximum number of users and sessions noted per minute. It limits memory while Redis is unavailable. */
const MAX_NOTED = 100_000
const MAX_POINTS = 10_000
/** Number of counts that are read at a time. */
const BATCH = 200

/**
 * Counts active users and sessions. A request only notes them in this process; every few seconds the notes are sent to
 * Redis, for the minute, hour and day they belong to. So counting adds no round trip to a request, and Redis stores
 * counts without names.
 */
export class Activity {
  readonly #context: Context
  readonly #within: Within
  /** Notes by minute, because they may be sent in a later one. */
  readonly #noted = new Map<number, Record<Counted, Set<string>>>()
  #timer: NodeJS.Timeout | undefined
  #lastFlush: Promise<void> = Promise.resolve()

  constructor(context: Context, within: Within) {
    this.#context = context
    this.#within = within
  }

  /** @param users the users that the session belongs to */
  note(storedId: string, users: readonly string[]): void {
    const minute = startOf(Date.now(), 'minute')
    const noted = this.#noted.get(minute) ?? { users: new Set(), sessions: new Set() }
    if (noted.sessions.size + noted.users.size >= MAX_NOTED) return
    this.#noted.set(minute, noted)
    noted.sessions.add(storedId)
    for (const user of users) noted.users.add(user)
    // The timer must not keep the process alive; notes that are unsent when it ends are lost.
    this.#timer ??= setTimeout(() => {
      this.flush().catch(() => undefined)
    }, FLUSH_MS).unref()
  }

  /**
   * Sends all notes, also those that came while an earlier flush was under way. Notes that Redis does not accept are kept
   * for the next time.
   */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#lastFlush = this.#lastFlush.catch(() => undefined).then(() => this.#send())
    return this.#lastFlush
  }

  /** @throws TypeError for an invalid range */
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
  if (count > MAX_POINTS) {
    throw new TypeError(`"step" option makes ${count} points of this range, more than ${MAX_POINTS}: take a longer one`)
  }
  return Array.from({ length: count }, (_, i) => start + i * ms)
}

function average(points: readonly ActivityPoint[], counted: Counted): number {
  return points.reduce((sum, point) => sum + point[counted], 0) / points.length
}
