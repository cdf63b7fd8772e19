import { SessionStoreError } from '../errors.js'
import type { Fields } from '../hash/fields.js'
import { entriesIn, type IndexEntry, indexFields, without } from '../hash/index-fields.js'
import type { Context } from './context.js'
import { type GoingOn, settleOrEnd } from './going-on.js'
import { enter, type Standing, standingOf, withdraw } from './index-entries.js'
import { loadSession } from './load.js'
import { lease } from './snapshot.js'
import { updateFields } from './update-fields.js'

/*
 * The one protocol for a write that may change where a session is to be found:
 *
 *     1 admit     makes room where the number of sessions is limited, or refuses the write
 *     2 enter     into the indexes, before the session says so: an index misses no session that is there
 *     3 schedule  the look at its end, for `onEnd`
 *     4 write     one script
 *     5 enter     once more: whoever ends all sessions of that user may have dropped the entry before there was a session
 *     6 end       the session, if another login has taken its place meanwhile, or the one that it goes on from has been ended
 *     7 withdraw  from where it is not to be found any more, unless another request has entered it there again
 *     8 reindex   if others have saved since it was loaded: an index may read what they wrote together with what we wrote
 */

/** Where a session is to be found before a write, and after it. */
export interface Placing {
  held: readonly IndexEntry[]
  next: readonly IndexEntry[]
  /** Milliseconds that the session may stay unused. */
  idleMs: number
  /** The write prolongs the session: the entries that stay are prolonged, too. */
  slides: boolean
  /** When the session began, for the look at its end; `unscheduled` where a write does not touch that. */
  createdAtMs: number | undefined | 'unscheduled'
  /** It has another id than before, and has been entered already where it goes on (session/going-on.ts). */
  goingOn?: GoingOn | undefined
}

/** Nothing to be found, and nothing to be scheduled. */
export const NOWHERE: Placing = { held: [], next: [], idleMs: 0, slides: false, createdAtMs: 'unscheduled' }

/** How often others may save between our look at a session and its new index values. Each lost race is another one's save. */
const ATTEMPTS = 100

/** What a write has come to. `written` and `contended` have happened; of everything else the write says what it means. */
type Written<T> = T & { isEnded?: boolean }

/**
 * @param send the write itself; called once, and in this very call where there is nothing to be waited for
 * @returns its reply; `isEnded`: written, and ended at once (6)
 * @throws ERR_SESSION_LIMIT before anything is written
 */
export function writeIndexed<T extends { kind: string }>(
  context: Context,
  storedId: string,
  placing: Placing,
  send: () => Promise<T>,
): Promise<Written<T>> {
  // Most stores have no index: no promise for it.
  if (context.options.indexes.length > 0) return writePlaced(context, storedId, placing, send)
  scheduleEnd(context, storedId, placing)
  return send()
}

async function writePlaced<T extends { kind: string }>(
  context: Context,
  storedId: string,
  placing: Placing,
  send: () => Promise<T>,
): Promise<Written<T>> {
  const { held, next, idleMs, slides, goingOn } = placing
  const continued = goingOn === undefined ? [] : without(next, without(next, goingOn.entries))
  const added = without(without(next, held), continued)
  const left = without(held, next)
  const limited = context.limiter?.among(added) ?? []
  const entered = without(without(slides ? next : added, limited), continued)
  let standing: Standing[] = []
  if (limited.length > 0) await context.limiter?.admit(context, storedId, limited)
  if (entered.length + left.length > 0) {
    const looking = standingOf(context, storedId, left)
    await enter(context, storedId, entered, idleMs)
    standing = await looking
  }
  scheduleEnd(context, storedId, placing)
  const reply = await send()
  if (reply.kind !== 'written' && reply.kind !== 'contended') return reply
  await enter(context, storedId, without(added, limited), idleMs)
  const isEnded =
    (await context.limiter?.endIfEvicted(context, storedId, limited, idleMs)) ||
    (goingOn !== undefined && !(await settleOrEnd(context, goingOn, continued, idleMs)))
  await withdraw(context, standing)
  if (isEnded) return { ...reply, isEnded }
  if (reply.kind === 'contended') await reindex(context, storedId)
  return reply
}

function scheduleEnd(context: Context, storedId: string, { createdAtMs, idleMs }: Placing): void {
  if (createdAtMs !== 'unscheduled') void context.endOfLife?.expect(storedId, idleMs, createdAtMs)
}

/**
 * Sets right where a session is to be found, by all that it holds now. For writes that do not know all of it: two requests
 * may each change one of two properties that an index reads. Two commands more only where something is not right.
 *
 * @throws ERR_SESSION_LIMIT if there is no room; the session has then been ended, as nobody could find it
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

/** Whether a write was refused because there are as many sessions as allowed. */
export function isLimitReached(err: unknown): boolean {
  return (err as { code?: string } | null)?.code === 'ERR_SESSION_LIMIT'
}

/** The index fields that this write has to write. What it does not change, another request may have. */
export function changedOf(wanted: Fields, held: ReadonlyMap<string, string>): [field: string, text: string][] {
  return [...wanted].filter(([field, text]) => held.get(field) !== text)
}

/** The placing of a write that does not prolong its session. */
export function placingOf(
  changed: Iterable<readonly [string, string]>,
  held: ReadonlyMap<string, string>,
  idleMs: number,
): Placing {
  return { ...NOWHERE, held: entriesIn(held), next: entriesIn([...held, ...changed]), idleMs }
}
