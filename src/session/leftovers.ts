import {
  BOOKKEEPING_FIELD,
  FLAG,
  MOVE_TOKEN_FIELD,
  MOVED_FROM_FIELD,
  MOVED_TO_FIELD,
  parseBookkeeping,
} from '../hash/bookkeeping.js'
import { pairsOf } from '../hash/fields.js'
import { entriesIn } from '../hash/index-fields.js'
import { CLEAR_AWAY, SETTLE } from '../redis/scripts/move.js'
import type { Context } from './context.js'
import { enter } from './index-entries.js'

/*
 * A process may die after a session has departed from one key, and before it was settled under the other one. The next
 * operation that finds the copy then completes the move (session/move.ts).
 */

/**
 * Checks whether a session that is marked as arriving has arrived. Completes its move if it has departed from the key
 * that it comes from.
 *
 * @returns whether the caller should read this key again; false: the session is elsewhere, or has ended there
 */
export async function hasArrived(context: Context, storedId: string): Promise<boolean> {
  const { gateway, keys } = context
  const look = (id: string, ...fields: string[]) => gateway.hmget(keys.session(id), [BOOKKEEPING_FIELD, ...fields])
  const [text, token, from] = (await look(storedId, MOVE_TOKEN_FIELD, MOVED_FROM_FIELD)) ?? []
  if (!parseBookkeeping(text)?.isArriving) return true
  if (!token || !from) return false
  const [there, itsToken, to] = (await look(from, MOVE_TOKEN_FIELD, MOVED_TO_FIELD)) ?? []
  const before = parseBookkeeping(there)
  if (before?.hasMoved && itsToken === token && to === storedId) {
    await complete(context, { from, to, token })
    return true
  }
  if (before !== null) return false
  // Another process may have completed the move between these reads.
  return !parseBookkeeping((await look(storedId))?.[0])?.isArriving
}

/**
 * Finds the stored id that a session has moved to from this one, and completes its move.
 *
 * @returns null if the session is no longer there, or if there has been no such move
 */
export async function movedTo(context: Context, storedId: string): Promise<string | null> {
  const { gateway, keys } = context
  const fields = [BOOKKEEPING_FIELD, MOVED_TO_FIELD, MOVE_TOKEN_FIELD]
  const [text, to, token] = (await gateway.hmget(keys.session(storedId), fields)) ?? []
  const before = parseBookkeeping(text)
  if (!before?.hasMoved || !to || !token) return null
  await complete(context, { from: storedId, to, token })
  const [now] = (await gateway.hmget(keys.session(to), [BOOKKEEPING_FIELD])) ?? []
  const there = parseBookkeeping(now)
  const isThere = there?.created === before.created && !there.isArriving && !there.hasMoved && !there.hasEnded
  return isThere ? to : null
}

export interface Move {
  from: string
  to: string
  /** Token of the copy. */
  token: string
}

/** Completes a move that is found unfinished, whichever process began it. Changes nothing if the move is complete. */
export async function complete(context: Context, { from, to, token }: Move): Promise<void> {
  const { gateway, keys } = context
  const isSettled = await gateway.script(SETTLE, keys.session(to), [token])
  if (isSettled) await enterAgain(context, to)
  await gateway.script(CLEAR_AWAY, keys.session(from), [FLAG.moved, token])
}

/** Restores index entries: an operation that looked for the session while it was arriving may have dropped them. */
async function enterAgain(context: Context, storedId: string): Promise<void> {
  if (context.options.indexes.length === 0) return
  const fields = new Map(pairsOf([...((await context.gateway.hgetall(context.keys.session(storedId))) ?? [])]))
  const meta = parseBookkeeping(fields.get(BOOKKEEPING_FIELD))
  if (meta !== null) await enter(context, storedId, entriesIn(fields), meta.idleMs)
}

/** Deletes a copy that will not become the session. */
export async function dropCopy({ gateway, keys }: Context, storedId: string, token: string): Promise<void> {
  await gateway.script(CLEAR_AWAY, keys.session(storedId), [FLAG.arriving, token])
}
