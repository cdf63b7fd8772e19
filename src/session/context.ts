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
import type { Claimed } from '../redis/scripts/end.js'
import type { TooLarge } from '../redis/scripts/session-reply.js'
import type { UpdateReply } from '../redis/scripts/update.js'
import type { Delta } from './delta.js'
import type { Creations } from './pending-creations.js'
import type { SessionQueue } from './session-queue.js'
import type { Loaded, SessionRecord } from './session-record.js'
import type { UnindexedStrings } from './unindexed-strings.js'

/*
 * Interfaces of the optional features, as operations on single sessions need them. Each feature implements its
 * interface and the store passes it in. A feature whose option is off is undefined, so no other check is needed.
 */

/** Content of a session that has ended: all its fields, or the string that connect-redis wrote. */
export type Remains = { fields: readonly string[] } | { text: string }

/** Hands the content of ended sessions to the application (`onEnd` option). */
export interface EndOfLife {
  /**
   * Notes when a session that is about to be written will have ended. Never rejects. Do not wait for it: in a Cluster
   * the node of the note may be unreachable while that of the session is not. If it fails, the next write repeats it.
   *
   * @param createdAtMs since 1970; default: now
   */
  expect(storedId: string, idleMs: number, createdAtMs?: number): Promise<void>
  /**
   * Notes that a session is about to be ended: if this process stops half-way, another one takes over. The caller must
   * tell the result whether or not the session has ended.
   */
  ending(storedId: string): SessionEnding
  /** Takes over a session that has ended while Redis still holds its content. */
  take(storedId: string): void
  /** Takes over a session that Redis no longer holds. */
  deliver(storedId: string, remains: Remains, reason: DestroyReason): void
  /** Resolves when this process has handed over the session that ended under this id, or has failed to do so. */
  handOver(storedId: string): Promise<void>
}

/** A session that is about to be ended. */
export interface SessionEnding {
  /** Milliseconds for which the end may claim the hand-over at once; undefined: it must not. */
  readonly claimMs: number | undefined
  /** @param claimed the claim; undefined: the session was not ended, or not claimed with its end */
  settled(claimed: Claimed | undefined): void
}

/** Caches sessions in this process (`cache` option). */
export interface SessionCache {
  /**
   * Loads the session under whichever of these ids, from this process or from Redis.
   *
   * @param isUsable whether a session of this process will do: another process may just have changed it
   */
  load(storedIds: StoredIds, isUsable: (cached: Loaded) => boolean): Promise<Loaded | null>
  /** Loads synchronously; undefined if only Redis has the session, or if the serializer is asynchronous. */
  loadAtOnce(storedIds: StoredIds): Loaded | undefined
  /** Counts a hit, once the session that `loadAtOnce` found is used. */
  countHit(session: object): void
  /** Whether a loaded session has come from this process. Only known while operations are traced (operations.ts). */
  hasServed(session: unknown): boolean
}

/** Limits the number of sessions under one value of an index (`limit` option). */
export interface Limiter {
  /** Selects the entries that have a limit. */
  among(entries: readonly IndexEntry[]): IndexEntry[]
  /**
   * Enters a session that is about to be written. If there is no room, ends another session to make room.
   *
   * @param context context of the operation: its signal stops the search for room
   * @param replaced stored ids of the session that this one replaces
   * @param member index member to enter; default: the stored id
   * @returns false if the session that this one continues is being ended
   * @throws ERR_SESSION_LIMIT if there are as many sessions as allowed, and none of them may be ended for this one
   */
  admit(
    context: Context,
    storedId: string,
    entries: readonly IndexEntry[],
    replaced?: readonly string[],
    member?: string,
  ): Promise<boolean>
  /** Prolongs the entries of a session that has just been written. Resolves false if another one took its place meanwhile. */
  settle(context: Context, storedId: string, entries: readonly IndexEntry[], idleMs: number): Promise<boolean>
  /** Ends a session for which there is no room. Resolves whether the session existed. */
  evict(context: Context, storedId: string): Promise<boolean>
}

/** What the merger needs of the reply to a save. `saves`: save counter; of a string, its digest. */
export type SaveReply =
  | { kind: 'written' | 'contended'; meta: { saves: string } }
  | { kind: 'outdated'; meta: { saves: string }; old: (string | null)[] }
  | { kind: 'gone' | 'foreign' }

/**
 * Sends the changes of a save.
 *
 * @param saves save counter that the caller knows
 * @param isStrict whether to write nothing if others have saved since; the reply is then `outdated`
 */
export type SendDelta<Reply extends SaveReply = Exclude<UpdateReply, TooLarge>> = (
  delta: Delta,
  saves: string,
  isStrict: boolean,
) => Promise<Reply>

/** Merges what two requests have done to one property (`merge` option). */
export interface Merger {
  /** Whether changes of this field are merged. */
  covers(field: string): boolean
  /**
   * Excludes the properties that a function reads to tell whose a session is.
   *
   * @param who names the function in the error message
   * @throws TypeError if the `merge` option names such a property
   */
  leaveOut(who: string, reads: (session: never) => unknown): void
  /**
   * Sends the changes of a save, and merges them with those of others if these were faster. The reply is then
   * `contended`.
   */
  write<Reply extends SaveReply>(
    context: Context,
    record: SessionRecord,
    delta: Delta,
    saves: string,
    send: SendDelta<Reply>,
  ): Promise<Reply>
  /**
   * It is not known which load the session of this record was copied from. What only later loads have is nothing that
   * the request has removed.
   */
  startsFrom(record: SessionRecord, earliest: SessionRecord): void
  /**
   * Called after a write with the save counter that it would have if only this request had written, and with the one
   * that it has.
   */
  followed(record: SessionRecord, saves: string, now: string): void
  /**
   * Merges a property that others have saved into the session of this request.
   *
   * @param theirs text that Redis holds; undefined: no such field
   * @param mine text of what the session of this request holds
   */
  mergeLate(
    context: Context,
    record: SessionRecord,
    property: string,
    theirs: string | undefined,
    mine: string | undefined,
  ): Promise<unknown>
}

/** The dependencies of every operation on sessions; made once per store. */
export interface Context {
  options: ResolvedOptions
  gateway: Gateway
  clock: RedisClock
  keys: Keys
  ids: IdMapper
  codec: Codec
  announcer: Announcer
  creations: Creations
  queue: SessionQueue
  strings: UnindexedStrings
  /** Undefined if no replica has to confirm writes. */
  replicas: Replicas | undefined
  /** Undefined without `onEnd`. */
  endOfLife: EndOfLife | undefined
  /** Undefined without `limit`. */
  limiter: Limiter | undefined
  /** Undefined without `cache`. */
  cache: SessionCache | undefined
  /** Undefined without `merge`. */
  merger: Merger | undefined
  /** Stops the loops of one operation when its time is over; undefined if the operation has no long loop. */
  signal?: Signal
}

/**
 * Makes a context for an operation that only reads: it sends no more commands once its time is over. A write must not
 * stop half-way like this, because the next step may be the one that completes the step before.
 */
export function reading(context: Context, signal: Signal): Context {
  return { ...context, gateway: context.gateway.until(signal), signal }
}

/** Stops a loop when the time of its operation is over. */
export function assertGoingOn({ signal, options }: Context): void {
  if (signal?.aborted) throw timedOut(options.timeoutMs)
}
