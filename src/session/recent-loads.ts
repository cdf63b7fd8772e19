import type { SessionRecord } from './session-record.js'

/** A request is not expected to last longer, in milliseconds. */
const LONGEST_REQUEST_MS = 10 * 60_000
/** Some 200 bytes each. */
const MOST_SESSIONS = 20_000
/** Each as large as its session. */
const MOST_LOADS = 2_000

interface Load {
  readonly of: RecentSession
  readonly record: SessionRecord
  readonly atMs: number
}

/** A session that was loaded a short while ago. */
export interface RecentSession {
  /** Its loads that no save has followed yet. */
  readonly loads: Map<SessionRecord, Load>
  /** Creation stamp of the session that was loaded last; undefined for a string of connect-redis's. */
  created: string | undefined
  /** Its cookie as it was handed out last, see `copies.ts`; undefined since `clear`. */
  cookie: string | undefined
  /** How often it was loaded. */
  count: number
  untilMs: number
  /** Until then, `loads` may lack some. */
  incompleteUntilMs: number
}

/**
 * What a copy may have been made from. `certain`: every request that may have made it has loaded the same. `contested`:
 * they differ in the fields that the record is in doubt about. `forgotten`: only that it was loaded is known.
 */
export type CopyBase =
  | { kind: 'certain' | 'contested'; record: SessionRecord }
  | { kind: 'forgotten'; created: string | undefined }

/**
 * The sessions that this process has loaded in the last ten minutes and that no `req.session` was made from, by stored id.
 * Memory is bounded: under pressure the oldest lose their content first, and are forgotten last.
 */
export class RecentLoads {
  readonly #sessions = new Map<string, RecentSession>()
  /** Oldest first. */
  readonly #loads = new Set<Load>()
  readonly #now: () => number

  constructor(now = () => performance.now()) {
    this.#now = now
  }

  get isEmpty(): boolean {
    return this.#sessions.size === 0
  }

  add(storedId: string, record: SessionRecord, cookie: string | undefined): void {
    const atMs = this.#now()
    const session = this.find(storedId) ?? newSession()
    session.created = createdOf(record)
    session.cookie = cookie
    session.count += 1
    session.untilMs = atMs + LONGEST_REQUEST_MS
    const load: Load = { of: session, record, atMs }
    session.loads.set(record, load)
    this.#loads.add(load)
    // Last, as what was used last.
    this.#sessions.delete(storedId)
    this.#sessions.set(storedId, session)
    this.#makeRoom(atMs)
  }

  /** The load has become a `req.session` after all. */
  remove(storedId: string, record: SessionRecord): void {
    const load = this.#sessions.get(storedId)?.loads.get(record)
    if (load === undefined) return
    this.#drop(load)
    load.of.count -= 1
    if (load.of.count === 0) this.#sessions.delete(storedId)
  }

  /** A save has followed the load. */
  saved(storedId: string, record: SessionRecord): void {
    const load = this.#sessions.get(storedId)?.loads.get(record)
    if (load !== undefined) this.#drop(load)
  }

  /** Redis has said that there is no such session. If no request is left that has it, its id may be used anew. */
  gone(storedId: string): void {
    const session = this.find(storedId)
    if (session?.loads.size === 0 && session.incompleteUntilMs <= this.#now()) this.#sessions.delete(storedId)
  }

  /** All sessions have been ended: what looks like one of them is no evidence any more. */
  cleared(): void {
    for (const session of this.#sessions.values()) session.cookie = undefined
  }

  find(storedId: string): RecentSession | undefined {
    const session = this.#sessions.get(storedId)
    if (session === undefined || session.untilMs <= this.#now()) return undefined
    for (const load of session.loads.values()) if (this.#isOld(load)) this.#drop(load)
    return session
  }

  /** What a copy of this session was made from. */
  baseOf(session: RecentSession): CopyBase {
    const records = [...session.loads.keys()]
    const latest = records.at(-1)
    if (latest === undefined || session.incompleteUntilMs > this.#now()) {
      return { kind: 'forgotten', created: session.created }
    }
    const contested = contestedFields(records)
    if (contested.size === 0) {
      this.#drop(session.loads.get(latest) as Load)
      return { kind: 'certain', record: latest }
    }
    // Which of the loads this was stays open, so none of them is done with.
    const record = latest.asLoaded()
    for (const field of contested) record.uncertain.add(field)
    return { kind: 'contested', record }
  }

  #makeRoom(now: number): void {
    for (const load of this.#loads) {
      if (this.#loads.size <= MOST_LOADS && !this.#isOld(load)) break
      this.#drop(load)
      if (!this.#isOld(load)) load.of.incompleteUntilMs = load.atMs + LONGEST_REQUEST_MS
    }
    for (const [storedId, session] of this.#sessions) {
      if (this.#sessions.size <= MOST_SESSIONS && session.untilMs > now) break
      for (const load of session.loads.values()) this.#drop(load)
      this.#sessions.delete(storedId)
    }
  }

  #drop(load: Load): void {
    load.of.loads.delete(load.record)
    this.#loads.delete(load)
  }

  #isOld({ atMs }: Load): boolean {
    return atMs + LONGEST_REQUEST_MS <= this.#now()
  }
}

function newSession(): RecentSession {
  return { loads: new Map(), created: undefined, cookie: undefined, count: 0, untilMs: 0, incompleteUntilMs: 0 }
}

export function createdOf({ origin }: SessionRecord): string | undefined {
  return origin.kind === 'hash' ? origin.meta.created : undefined
}

/** The fields that were not the same in all of the loads. */
function contestedFields(records: readonly SessionRecord[]): Set<string> {
  const contested = new Set<string>()
  const [first, ...others] = records.filter(isDifferent)
  if (first === undefined) return contested
  for (const other of others) {
    for (const [field, text] of first.atLoad) if (other.atLoad.get(field) !== text) contested.add(field)
    for (const field of other.atLoad.keys()) if (!first.atLoad.has(field)) contested.add(field)
  }
  return contested
}

/** Whether it is the first of its version. */
function isDifferent(record: SessionRecord, i: number, all: readonly SessionRecord[]): boolean {
  return all.findIndex((one) => one.version === record.version) === i
}
