import type { SessionRecord } from './session-record.js'

/** Longest time that a request is expected to last, in milliseconds. */
const MAX_REQUEST_MS = 10 * 60_000
/** Each takes some 200 bytes. */
const MAX_SESSIONS = 20_000
/** Each is as large as its session. */
const MAX_LOADS = 2_000

interface Load {
  readonly of: RecentSession
  readonly record: SessionRecord
  readonly atMs: number
}

/** A session that was loaded a short while ago. */
export interface RecentSession {
  /** Loads of this session that no save has followed yet. */
  readonly loads: Map<SessionRecord, Load>
  /** Creation stamp of the session that was loaded last; undefined for connect-redis's string. */
  created: string | undefined
  /** The session's cookie as it was last handed out, see requests/copied-sessions.ts; undefined after `clear`. */
  cookie: string | undefined
  /** How often the session was loaded. */
  count: number
  untilMs: number
  /** Until this time, `loads` may be incomplete. */
  incompleteUntilMs: number
}

/**
 * The load that a copy may have been made from. `certain`: every request that may have made the copy has loaded the
 * same content. `contested`: these requests loaded different texts of the fields that are uncertain in the record;
 * `earliest` is the first load of them. `forgotten`: it is known only that the session was loaded.
 */
export type CopyBase =
  | { kind: 'certain'; record: SessionRecord }
  | { kind: 'contested'; record: SessionRecord; earliest: SessionRecord }
  | { kind: 'forgotten'; created: string | undefined }

/**
 * The sessions that this process has loaded in the last ten minutes and that no `req.session` was made from, by stored
 * id. Memory is bounded: under pressure, the oldest sessions first lose their content, and are forgotten only later.
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
    session.untilMs = atMs + MAX_REQUEST_MS
    const load: Load = { of: session, record, atMs }
    session.loads.set(record, load)
    this.#loads.add(load)
    // Insert it again at the end, so that the map is ordered by last use.
    this.#sessions.delete(storedId)
    this.#sessions.set(storedId, session)
    this.#makeRoom(atMs)
  }

  /** Removes a load that has become a `req.session` after all. */
  remove(storedId: string, record: SessionRecord): void {
    const load = this.#sessions.get(storedId)?.loads.get(record)
    if (load === undefined) return
    this.#drop(load)
    load.of.count -= 1
    if (load.of.count === 0) this.#sessions.delete(storedId)
  }

  /** Drops a load that a save has followed. */
  saved(storedId: string, record: SessionRecord): void {
    const load = this.#sessions.get(storedId)?.loads.get(record)
    if (load !== undefined) this.#drop(load)
  }

  /**
   * Forgets a session that Redis no longer has, so that its id may be used anew, unless a request may still hold it.
   */
  gone(storedId: string): void {
    const session = this.find(storedId)
    if (session?.loads.size === 0 && session.incompleteUntilMs <= this.#now()) this.#sessions.delete(storedId)
  }

  /**
   * Drops all cookies after all sessions have been ended: a copy that looks like one of them proves nothing any more.
   */
  cleared(): void {
    for (const session of this.#sessions.values()) session.cookie = undefined
  }

  find(storedId: string): RecentSession | undefined {
    const session = this.#sessions.get(storedId)
    if (session === undefined || session.untilMs <= this.#now()) return undefined
    for (const load of session.loads.values()) if (this.#isOld(load)) this.#drop(load)
    return session
  }

  /** Finds the load that a copy of this session was made from. */
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
    // It stays unknown which of the loads this was, so keep all of them.
    const record = latest.asLoaded()
    for (const field of contested) record.uncertain.add(field)
    return { kind: 'contested', record, earliest: records[0] as SessionRecord }
  }

  #makeRoom(now: number): void {
    for (const load of this.#loads) {
      if (this.#loads.size <= MAX_LOADS && !this.#isOld(load)) break
      this.#drop(load)
      if (!this.#isOld(load)) load.of.incompleteUntilMs = load.atMs + MAX_REQUEST_MS
    }
    for (const [storedId, session] of this.#sessions) {
      if (this.#sessions.size <= MAX_SESSIONS && session.untilMs > now) break
      for (const load of session.loads.values()) this.#drop(load)
      this.#sessions.delete(storedId)
    }
  }

  #drop(load: Load): void {
    load.of.loads.delete(load.record)
    this.#loads.delete(load)
  }

  #isOld({ atMs }: Load): boolean {
    return atMs + MAX_REQUEST_MS <= this.#now()
  }
}

function newSession(): RecentSession {
  return { loads: new Map(), created: undefined, cookie: undefined, count: 0, untilMs: 0, incompleteUntilMs: 0 }
}

export function createdOf({ origin }: SessionRecord): string | undefined {
  return origin.kind === 'hash' ? origin.meta.created : undefined
}

/** Finds the fields that differ between the loads. */
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

/** Whether the record is the first one of its version. */
function isDifferent(record: SessionRecord, i: number, all: readonly SessionRecord[]): boolean {
  return all.findIndex((one) => one.version === record.version) === i
}
