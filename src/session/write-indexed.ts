import { SessionStoreError } from '../errors.js'
import type { Fields } from '../hash/fields.js'
import { entriesIn, type IndexEntry, indexFields, without } from '../hash/index-fields.js'
import { PENDING_MS } from '../redis/scripts/index-sessions.js'
import type { Context } from './context.js'
import type { Continuation } from './continuation.js'
import { endHere } from './destroy.js'
import { dropEntry, enter, leave, type Standing, standingOf, withdraw } from './index-entries.js'
import { loadSession } from './load.js'
import { endUnlessSettled, type Settled, settleWrite, type Unsettled } from './settle-write.js'
import { lease } from './snapshot.js'
import { updateFields } from './update-fields.js'

/*
 * Every write that may change the index entries of a session follows this protocol:
 *
 *     1 admit     makes room if the number of sessions is limited, or refuses the write
 *     2 enter     enters the session into the indexes before its index fields are written, so that an index misses no
 *                 session that exists; the entries are dropped again if the write finds no session
 *     3 schedule  schedules the check whether the session has ended, for `onEnd`
 *     4 write     runs one script
 *     5 settle    enters the session once more: an operation that ends all sessions of that user may have dropped the
 *                 entry before the session existed; and finds out whether the session may stay
 *     6 end       ends the session if another login has taken its place meanwhile, or if the session that it continues
 *                 has been ended
 *     7 withdraw  drops the entries that no longer apply, unless another request has entered the session there again
 *     8 reindex   indexes the session again if others have saved since it was loaded: an index may read properties that
 *                 they wrote together with properties that we wrote
 *
 * Where Redis runs commands in the order in which they are sent (`keepsOrder`), steps 3 to 5 take one round trip: what
 * step 5 does is harmless if the write is refused, and it is done once more if the write had to be sent again
 * (`disorders`). A step 2 whose failure must prevent the write takes a round trip of its own. That of a session with a
 * new id need not: should it fail, the session is ended again, and nobody has received the id yet.
 */

/** The index entries of a session before a write, and after it. */
export interface Placing {
  held: readonly IndexEntry[]
  next: readonly IndexEntry[]
  /** Milliseconds that the session may stay unused. */
  idleMs: number
  /** Whether the write prolongs the session; the entries that stay are then prolonged, too. */
  slides: boolean
  /** When the session began, to schedule the check of its end; `unscheduled` if the write does not change its end. */
  createdAtMs: number | undefined | 'unscheduled'
  /** Set if the session gets another id; the pair of ids is then already in the indexes (session/continuation.ts). */
  continuation?: Continuation | undefined
  /** Whether the write creates a session under an id that nobody has yet. */
  isNew?: boolean | undefined
}

/** No index entries, and nothing to schedule. */
export const NOWHERE: Placing = { held: [], next: [], idleMs: 0, slides: false, createdAtMs: 'unscheduled' }

/**
 * How often others may save between our read of a session and the write of its new index values. Each lost race means
 * that another request has saved.
 */
const ATTEMPTS = 100

/** Reply of a write. `written` and `contended`: the session was written. The write itself defines all other kinds. */
type Written<T> = T & { isEnded?: boolean }

/**
 * @param send the write itself; called once, and synchronously if there is nothing to wait for
 * @returns the reply of the write; `isEnded`: the session was written, and then ended by step 6
 * @throws ERR_SESSION_LIMIT before anything is written
 */
export function writeIndexed<T extends { kind: string; isArriving?: boolean }>(
  context: Context,
  storedId: string,
  placing: Placing,
  send: () => Promise<T>,
): Promise<Written<T>> {
  // Most stores have no index; this saves them a promise.
  if (context.options.indexes.length > 0 || placing.continuation !== undefined)
    return writePlaced(context, storedId, placing, send)
  scheduleEnd(context, storedId, placing)
  return send()
}

async function writePlaced<T extends { kind: string; isArriving?: boolean }>(
  context: Context,
  storedId: string,
  placing: Placing,
  send: () => Promise<T>,
): Promise<Written<T>> {
  const { gateway, limiter } = context
  const { entered, left, unadmitted, unsettled } = stepsOf(context, placing)
  if (unadmitted.length > 0) await limiter?.admit(context, storedId, unadmitted)
  const isTogether = placing.isNew === true && gateway.keepsOrder
  let standing: Standing[] = []
  let entering: Promise<void> | undefined
  if (isTogether) entering = handled(enter(context, storedId, entered, placing.idleMs))
  else if (entered.length + left.length > 0) {
    const looking = standingOf(context, storedId, left)
    await enter(context, storedId, entered, placing.idleMs)
    standing = await looking
  }
  scheduleEnd(context, storedId, placing)
  const { disorders } = gateway
  const writing = send()
  const settling = settleAlong(context, storedId, unsettled, isTogether, writing)
  const reply = await writing
  const isWritten = reply.kind === 'written' || reply.kind === 'contended'
  await entering?.catch((err: unknown) => (isWritten ? takeBack(context, storedId, err) : Promise.reject(err)))
  if (reply.kind === 'gone' && reply.isArriving !== true) await undoEntering(context, storedId, entered)
  if (!isWritten) return reply
  const isInOrder = settling !== undefined && gateway.disorders === disorders
  const settled = await (isInOrder ? settling : settleWrite(context, storedId, unsettled))
  const isEnded = settled !== undefined && (await endUnlessSettled(context, storedId, settled))
  await withdraw(context, standing)
  if (isEnded) return { ...reply, isEnded }
  if (reply.kind === 'contended') await reindex(context, storedId)
  return reply
}

/** Works out which index entries a write changes, and how. */
function stepsOf({ limiter }: Context, { held, next, idleMs, slides, continuation }: Placing) {
  const continued = continuation === undefined ? [] : without(next, without(next, continuation.entries))
  const added = without(without(next, held), continued)
  const limited = limiter?.among(added) ?? []
  const unsettled: Unsettled = { idleMs, added: without(added, limited), limited, continued, continuation }
  return {
    entered: without(without(slides ? next : added, limited), continued),
    left: without(held, next),
    unadmitted: without(limited, admittedBefore(continuation)),
    unsettled,
  }
}

/** Does step 5 right behind the write, where that keeps its order. */
function settleAlong(
  context: Context,
  storedId: string,
  unsettled: Unsettled,
  isTogether: boolean,
  writing: Promise<unknown>,
): Promise<Settled> | undefined {
  const { limited } = unsettled
  // Of a limited number of places, the session takes one for long only once it is there, or if that is given back.
  if (!context.gateway.keepsOrder || (limited.length > 0 && !isTogether)) return undefined
  if (limited.length > 0) void writing.catch((err: unknown) => giveBack(context, storedId, limited, err))
  return handled(settleWrite(context, storedId, unsettled))
}

/** Returns the entries to which the session has been admitted so short a while ago that they are still there. */
function admittedBefore(continuation: Continuation | undefined): readonly IndexEntry[] {
  const { entries = [], at = 0 } = continuation?.admitted ?? {}
  return performance.now() - at < PENDING_MS / 2 ? entries : []
}

/** Keeps a failure from counting as unhandled until somebody waits for the promise. */
function handled<T>(promise: Promise<T> | undefined): Promise<T> | undefined {
  promise?.catch(() => undefined)
  return promise
}

/** Gives back the place of a new session if Redis has refused to write it. In doubt, the place stays taken for a while. */
async function giveBack(
  context: Context,
  storedId: string,
  limited: readonly IndexEntry[],
  err: unknown,
): Promise<void> {
  const { code } = err as { code?: string }
  if (code === 'ERR_SESSION_TIMEOUT' || code === 'ERR_SESSION_UNAVAILABLE') return
  await leave(context, storedId, limited)
}

/**
 * Drops entries that were made for a session that turned out to be gone, unless it is there again. What cannot be
 * dropped now is dropped by the next read of the index that does not find the session.
 */
async function undoEntering(context: Context, storedId: string, entered: readonly IndexEntry[]): Promise<void> {
  // Entries that never end have no score that would tell ours from those that others have made since.
  if (entered.length === 0 || context.options.disableTTL) return
  try {
    const standing = await standingOf(context, storedId, entered)
    if (standing.length === 0 || (await loadSession(context, storedId)) !== null) return
    await Promise.all(standing.map(({ entry, member }) => dropEntry(context, member, entry)))
  } catch {
    // All that the caller has to know is that the session is gone.
  }
}

/** Ends a new session that could not be entered into its indexes. Nobody has received its id. */
async function takeBack(context: Context, storedId: string, err: unknown): Promise<never> {
  await endHere(context, [storedId], 'destroyed').catch(() => undefined)
  throw err
}

function scheduleEnd(context: Context, storedId: string, { createdAtMs, idleMs }: Placing): void {
  if (createdAtMs !== 'unscheduled') void context.endOfLife?.expect(storedId, idleMs, createdAtMs)
}

/**
 * Corrects the index entries of a session according to all that it holds now. Needed after writes that do not know the
 * whole session: two requests may each change one of two properties that an index reads. Sends further commands after
 * the read only if an entry is wrong.
 *
 * @throws ERR_SESSION_LIMIT if there is no room; the session has then been ended, because no index could find it
 */
export async function reindex(context: Context, storedId: string): Promise<void> {
  const { indexes } = context.options
  if (indexes.length === 0) return
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const loaded = await loadSession(context, storedId)
    if (loaded === null || loaded.record.origin.kind === 'string') return
    const { session, record } = loaded
    const { created, saves } = loaded.record.origin.meta
    const wanted = indexFields(indexes, session, record.indexFields)
    const set = changedOf(wanted, record.indexFields)
    if (set.length === 0) return
    const placing = placingOf(set, record.indexFields, lease(context, session, record).idle)
    const seen = { created, saves, isStrict: true }
    const reply = await writePlaced(context, storedId, placing, () =>
      updateFields(context, storedId, { set, remove: [] }, seen),
    ).catch(async (err: unknown) => {
      if (isLimitReached(err)) await context.limiter?.evict(context, storedId)
      throw err
    })
    if (reply.kind !== 'outdated') return
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', `a session changed ${ATTEMPTS} times while it was being indexed`)
}

/** Whether a write was refused because the number of sessions has reached its limit. */
export function isLimitReached(err: unknown): boolean {
  return (err as { code?: string } | null)?.code === 'ERR_SESSION_LIMIT'
}

/** Selects the index fields that have changed. Another request may have changed the others, so they are not written. */
export function changedOf(wanted: Fields, held: ReadonlyMap<string, string>): [field: string, text: string][] {
  return [...wanted].filter(([field, text]) => held.get(field) !== text)
}

/** Makes the placing for a write that does not prolong its session. */
export function placingOf(
  changed: Iterable<readonly [string, string]>,
  held: ReadonlyMap<string, string>,
  idleMs: number,
): Placing {
  return { ...NOWHERE, held: entriesIn(held), next: entriesIn([...held, ...changed]), idleMs }
}
