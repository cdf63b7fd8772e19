import type { IndexEntry } from '../hash/index-fields.js'
import type { Context } from './context.js'
import { type Continuation, endLost, settlePair } from './continuation.js'
import { endHere } from './destroy.js'
import { enter } from './index-entries.js'
import { endedOnTheWay } from './rotated-ids.js'

/** What follows the write of a session. All of it may be done twice. */
export interface Unsettled {
  idleMs: number
  /** New index entries without a limit, and those with one. */
  added: readonly IndexEntry[]
  limited: readonly IndexEntry[]
  /** Entries that hold the pair of ids of a session that continues another one. */
  continued: readonly IndexEntry[]
  continuation: Continuation | undefined
}

/** Why a session that has just been written must end; nothing of that if it may stay. */
export interface Settled {
  /** Another session has taken its place. */
  isEvicted: boolean
  /** Entries under which all sessions have been ended. */
  lost: readonly IndexEntry[]
  /** The session was ended under its previous id. */
  isEndedBefore: boolean
}

/**
 * Enters a session that has just been written, and finds out whether it may stay. Where commands keep their order, it
 * is called right behind the write, before its reply. Returns undefined if there is nothing to do.
 */
export function settleWrite(context: Context, storedId: string, unsettled: Unsettled): Promise<Settled> | undefined {
  const { added, limited, continued, continuation, idleMs } = unsettled
  const leavesTrail = continuation?.leavesTrail === true
  if (added.length + limited.length + continued.length === 0 && !leavesTrail) return undefined
  return Promise.all([
    limited.length === 0 || context.limiter?.settle(context, storedId, limited, idleMs),
    continuation && settlePair(context, continuation, continued, idleMs),
    leavesTrail && endedOnTheWay(context, continuation.ids),
    enter(context, storedId, added, idleMs),
  ]).then(([hasPlace, lost = [], isEndedBefore]) => ({ isEvicted: hasPlace === false, lost, isEndedBefore }))
}

/** Ends the session if it may not stay. Resolves whether it did so. */
export async function endUnlessSettled(context: Context, storedId: string, settled: Settled): Promise<boolean> {
  const { isEvicted, lost, isEndedBefore } = settled
  if (isEvicted) await context.limiter?.evict(context, storedId)
  else if (lost.length > 0) await endLost(context, storedId, lost)
  else if (isEndedBefore) await endHere(context, [storedId], 'destroyed')
  return isEvicted || lost.length > 0 || isEndedBefore
}
