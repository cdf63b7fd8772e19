import type { Signal, Within } from '../redis/deadline.js'
import { ScanPlace } from '../redis/scan-place.js'
import { type Context, reading } from '../session/context.js'
import { inspectSession } from '../session/inspect.js'
import type { SessionInfo } from '../session-info.js'
import type { AdminAccess } from './admin-access.js'

/** Numbers of sessions, by the time since something happened or until something will happen. */
export interface Ages {
  /** Less than a minute. */
  minute: number
  /** A minute or more, and less than an hour. */
  hour: number
  /** An hour or more, and less than a day. */
  day: number
  /** A day or more, and less than a week. */
  week: number
  /** A week or more. */
  older: number
}

export interface SessionStats {
  /** Number of sessions. */
  sessions: number
  /** Memory that sessions and indexes use in Redis, in bytes (MEMORY USAGE). */
  bytes: number
  /** For each index: how many sessions have a value in it, and how many different values there are. */
  indexes: Record<string, { sessions: number; values: number }>
  /** Sessions by the time since they began. */
  age: Ages
  /** Sessions by the time since they were last seen. */
  idle: Ages
  /** Sessions by the time until they end if nobody uses them. `never`: sessions that do not expire (`disableTTL`). */
  ends: Ages & { never: number }
}

const MINUTE_MS = 60_000
const LIMITS: readonly (readonly [name: keyof Ages, ms: number])[] = [
  ['minute', MINUTE_MS],
  ['hour', 60 * MINUTE_MS],
  ['day', 24 * 60 * MINUTE_MS],
  ['week', 7 * 24 * 60 * MINUTE_MS],
  ['older', Number.POSITIVE_INFINITY],
]

/**
 * Counts all sessions. Sessions that begin or end meanwhile may be missing. While slots of a Cluster move, their sessions
 * may be counted twice: telling which have been counted would take memory for each.
 *
 * @param onProgress called after each batch with the counts so far
 * @param stop ends the count early
 * @returns `isWhole`: whether everything was counted
 */
export async function countSessions(
  { context, keyspace, within }: Pick<AdminAccess, 'context' | 'keyspace' | 'within'>,
  onProgress: (soFar: Readonly<SessionStats>) => void,
  stop?: Signal,
): Promise<{ stats: SessionStats; isWhole: boolean }> {
  const stats = noSessions()
  for (const [name] of context.options.indexes) addIndex(stats, name)
  const [sessions, others] = [stop && new ScanPlace(stop), stop && new ScanPlace(stop)]
  for await (const batch of keyspace.candidates(sessions)) {
    await addSessions(context, within, stats, batch)
    onProgress(stats)
  }
  for await (const batch of keyspace.indexKeys(others)) {
    await addIndexKeys(context, within, stats, batch)
    onProgress(stats)
  }
  return { stats, isWhole: sessions?.isDone !== false && others?.isDone !== false }
}

export function noSessions(): SessionStats {
  return { sessions: 0, bytes: 0, indexes: {}, age: noAges(), idle: noAges(), ends: { ...noAges(), never: 0 } }
}

export function addIndex(stats: SessionStats, name: string): void {
  stats.indexes[name] ??= { sessions: 0, values: 0 }
}

/** Counts the sessions under these stored ids, with the indexes of the context. */
export async function addSessions(
  context: Context,
  within: Within,
  stats: SessionStats,
  storedIds: readonly string[],
): Promise<void> {
  const counted = await within((signal) => {
    const bound = reading(context, signal)
    return Promise.all(storedIds.map((storedId) => measured(bound, storedId)))
  })
  for (const { info, bytes } of counted) if (info !== undefined) count(stats, info, bytes)
}

/** Counts the memory of keys that are no sessions, and the values of the indexes in `stats`. */
export async function addIndexKeys(
  { gateway, keys }: Context,
  within: Within,
  stats: SessionStats,
  batch: readonly string[],
): Promise<void> {
  const bytes = await within(Promise.all(batch.map((key) => gateway.memoryUsage(key))))
  stats.bytes += bytes.reduce((sum, one) => sum + one, 0)
  for (const key of batch) {
    const values = stats.indexes[keys.indexName(key)]
    if (values !== undefined) values.values += 1
  }
}

async function measured(context: Context, storedId: string): Promise<{ info: SessionInfo | undefined; bytes: number }> {
  const inspected = await inspectSession(context, storedId)
  return { info: inspected?.info, bytes: await context.gateway.memoryUsage(context.keys.session(storedId)) }
}

function count(stats: SessionStats, info: SessionInfo, bytes: number): void {
  stats.sessions += 1
  stats.bytes += bytes
  const now = Date.now()
  stats.age[ageOf(now - info.createdAt.getTime())] += 1
  stats.idle[ageOf(now - info.seenAt.getTime())] += 1
  stats.ends[info.expiresAt === null ? 'never' : ageOf(info.expiresAt.getTime() - now)] += 1
  for (const [name, values] of Object.entries(info.indexes)) {
    const index = stats.indexes[name]
    if (index !== undefined && values.length > 0) index.sessions += 1
  }
}

function ageOf(spanMs: number): keyof Ages {
  return (LIMITS.find(([, ms]) => spanMs < ms) as (typeof LIMITS)[number])[0]
}

function noAges(): Ages {
  return { minute: 0, hour: 0, day: 0, week: 0, older: 0 }
}
