import { BOOKKEEPING_FIELD, type Bookkeeping, parseBookkeeping } from '../hash/bookkeeping.js'
import type { StoredIds } from '../ids/sid.js'
import { CLEAR_AWAY } from '../redis/scripts/move.js'
import type { Context } from './context.js'

/*
 * Where a process has died between the last two steps of a move (session/move.ts), the session is under one id, and what it was
 * before is left under the other one. Only the two together tell which is which: what is leaving is old as soon as the
 * session lives elsewhere.
 */

/** The ids in the order in which to look: what is leaving last, if the session lives elsewhere. Costs nothing where there is one. */
export async function liveFirst(context: Context, storedIds: StoredIds): Promise<StoredIds> {
  if (storedIds.length === 1) return storedIds
  const old = await oldAmong(context, storedIds)
  const isOld = (storedId: string) => old.some((place) => place.storedId === storedId)
  const ordered = [...storedIds.filter((storedId) => !isOld(storedId)), ...storedIds.filter(isOld)]
  return ordered as [string, ...string[]]
}

/**
 * Deletes what is old. Before a session is moved or ended: nothing must be left that looks like it.
 *
 * @param suspects looked at first; nothing else is asked if nothing is leaving there, which is nearly always so
 */
export async function clearLeftovers(
  context: Context,
  storedIds: readonly string[],
  suspects: readonly string[],
): Promise<void> {
  const { gateway, keys } = context
  const places = await placesOf(context, suspects)
  if (!places.some(({ meta }) => meta.isLeaving)) return
  for (const { storedId, meta } of await oldAmong(context, storedIds)) {
    await gateway.script(CLEAR_AWAY, keys.session(storedId), ['Z', meta.created, ''])
  }
}

/**
 * The same before the session ends under all its ids (`endingOrder`). The last one is the first to go, so that an old one there goes
 * before the session does; only `onEnd` must not be told of it.
 */
export async function clearBeforeEnd(context: Context, storedIds: readonly string[]): Promise<void> {
  if (storedIds.length === 1) return
  await clearLeftovers(context, storedIds, context.endOfLife === undefined ? storedIds.slice(0, -1) : storedIds)
}

interface Place {
  storedId: string
  meta: Bookkeeping
}

async function placesOf({ gateway, keys }: Context, storedIds: readonly string[]): Promise<Place[]> {
  const texts = await Promise.all(storedIds.map((id) => gateway.hmget(keys.session(id), [BOOKKEEPING_FIELD])))
  return storedIds.flatMap((storedId, i) => {
    const meta = parseBookkeeping(texts[i]?.[0])
    return meta === null ? [] : [{ storedId, meta }]
  })
}

async function oldAmong(context: Context, storedIds: readonly string[]): Promise<Place[]> {
  const places = await placesOf(context, storedIds)
  const live = places.filter(({ meta }) => !meta.isLeaving && !meta.isArriving && !meta.hasEnded)
  const isOld = ({ meta }: Place) => meta.isLeaving && live.some((one) => one.meta.created === meta.created)
  return places.filter(isOld)
}
