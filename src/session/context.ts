import type { Announcer, DestroyReason } from '../events.js'
import type { Codec } from '../hash/codec.js'
import type { IndexEntry } from '../hash/index-fields.js'
import type { IdMapper, StoredIds } from '../ids/id-mapper.js'
import type { ResolvedOptions } from '../options.js'
import { type Signal, timedOut } from '../redis/deadline.js'
import type { Gateway } from '../redis/gateway.js'
import type { Keys } from '../redis/keys.js'
import type { RedisClock } from '../redis/redis-clock.js'
import type { Replicas } from '../redis/replicas.js'
import type { Creations } from './pending-creations.js'
import type { Loaded } from './session-record.js'

/*
 * What a feature has to do for single sessions. The feature implements it and the store plugs it in; whether its option is on has
 * one answer everywhere: a feature that is off is undefined.
 */

/** What is left of a session that has ended: all fields, or what connect-redis wrote. */
export type Remains = { fields: readonly string[] } | { text: string }

/** Hands the content of ended sessions to the application (`onEnd` option). */
export interface EndOfLife {
  /**
   * Notes when a session that is about to be written will have ended. Never rejects, and is not to be waited for: in a Cluster the
   * note may be out of reach where the session is not. The next write makes up for what fails.
   *
   * @param createdAtMs since 1970; default: now
   */
  expect(storedId: string, idleMs: number, createdAtMs?: number): Promise<void>
  /** Notes that a session is being ended: if this process stops half-way, another one takes over. Never rejects. */
  ending(storedId: string): Promise<void>
  /** Takes over a session that has ended, and whose content Redis still holds. */
  take(storedId: string): void
  /** Takes over a session of which Redis holds nothing any more. */
  deliver(storedId: string, remains: Remains, reason: DestroyReason): void
  /** Resolves when this process has handed over the session that ended under this id, or has failed to. */
  handOver(storedId: string): Promise<void>
}

/** Keeps sessions in this process (`cache` option). */
export interface SessionCache {
  /** The session under whichever of these ids, from this process or from Redis. */
  load(storedIds: StoredIds): Promise<Loaded | null>
  /** The same in this very call; undefined if Redis has to be asked, or the serializer takes its time. */
  loadAtOnce(storedIds: StoredIds): Loaded | undefined
  /** Counts a session that `loadAtOnce` has found, and that is used. */
  countHit(): void
}

/** Limits how many sessions there may be under one value of an index (`limit` option). */
export interface Limiter {
  /** Those of these entries that are limited in number. */
  among(entries: readonly IndexEntry[]): IndexEntry[]
  /**
   * Enters a session that is about to be written, and makes room for it if there is none.
   *
   * @param context of the operation: its signal stops the search for room
   * @param replaced stored ids of the session that this one takes the place of
   * @param member what is entered; default: the stored id
   * @returns false if the session that it goes on from is just being ended
   * @throws ERR_SESSION_LIMIT if there are as many as allowed, and none of them may be ended for it
   */
  admit(
    context: Context,
    storedId: string,
    entries: readonly IndexEntry[],
    replaced?: readonly string[],
    member?: string,
  ): Promise<boolean>
  /** Ends a session that has just been written, if its place was taken meanwhile. Resolves whether it did. */
  endIfEvicted(context: Context, storedId: string, entries: readonly IndexEntry[], idleMs: number): Promise<boolean>
  /** Ends a session for which there is no room. Resolves whether there was one. */
  evict(context: Context, storedId: string): Promise<boolean>
}

/** What every operation on sessions works with; made once per store. */
export interface Context {
  options: ResolvedOptions
  gateway: Gateway
  clock: RedisClock
  keys: Keys
  ids: IdMapper
  codec: Codec
  announcer: Announcer
  creations: Creations
  /** Undefined where no replica has to confirm anything. */
  replicas: Replicas | undefined
  /** Undefined without `onEnd`. */
  endOfLife: EndOfLife | undefined
  /** Undefined without `limit`. */
  limiter: Limiter | undefined
  /** Undefined without `cache`. */
  cache: SessionCache | undefined
  /** Of one operation whose loops stop when it is over; undefined: none of its loops is long. */
  signal?: Signal
}

/**
 * For what only reads: once the operation is over, no command is sent for it any more. A write must not stop half-way like this, as it
 * may be the next step that makes the one before complete.
 */
export function reading(context: Context, signal: Signal): Context {
  return { ...context, gateway: context.gateway.until(signal), signal }
}

/** Ends a loop whose operation is over. */
export function assertGoingOn({ signal, options }: Context): void {
  if (signal?.aborted) throw timedOut(options.timeoutMs)
}
