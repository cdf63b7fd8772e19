import type { DestroyReason } from '../events.js'
import { fieldOf, isProperty } from '../hash/field-name.js'
import { toText } from '../hash/serializer.js'
import type { AnySession } from '../hash/session-data.js'
import { handleOf } from '../ids/sid.js'
import type { Context } from '../session/context.js'
import { sameValue } from '../session/delta.js'
import { endSession } from '../session/destroy.js'
import { takeAway } from '../session/end-key.js'
import { endingOrder } from '../session/move.js'
import type { SessionRecord } from '../session/session-record.js'
import type { Remainder } from './merge-late-saves.js'

/** How long requests that were under way with the old id are recognised: far longer than any of them takes. */
const MARKER_MS = 60_000

/**
 * Ends a session whose visitor goes on under a new id. The marker leads nowhere; it only tells that a cookie with this
 * id is out of date, so that late requests do not answer with yet another one. Resolves whether there was a session.
 */
export async function retire(context: Context, storedIds: readonly string[], reason: DestroyReason): Promise<boolean> {
  for (const storedId of storedIds) await markRotated(context, storedId)
  return endSession(context, storedIds, reason)
}

/** The same for a session that goes on itself. Resolves what it held then; null if there was none. */
export async function retireForNext(context: Context, storedIds: readonly string[]): Promise<Remainder | null> {
  let remainder: Remainder | null = null
  for (const { storedId, isGoingOn } of endingOrder(storedIds)) {
    await markRotated(context, storedId)
    remainder = (await takeAway(context, storedId, { isGoingOn })) ?? remainder
  }
  return remainder
}

async function markRotated({ gateway, keys }: Context, storedId: string): Promise<void> {
  // Ending a session must not depend on Redis having memory left, or on the permission to write strings.
  await gateway.setMarker(keys.rotated(storedId), MARKER_MS).catch(() => undefined)
}

export async function wasRetired({ gateway, keys }: Context, storedIds: readonly string[]): Promise<boolean> {
  const found = await Promise.all(storedIds.map((storedId) => gateway.exists(keys.rotated(storedId))))
  return found.includes(true)
}

/** The properties that the request has set or changed since the session was loaded. */
export async function writtenProperties(
  { options: { serializer } }: Context,
  session: AnySession,
  record: SessionRecord | undefined,
): Promise<string[]> {
  const own = Object.keys(session).filter(isProperty)
  if (record === undefined || !record.isLoaded) return own
  const before = record.atLoad
  const written: string[] = []
  for (const property of own) {
    const field = fieldOf(property)
    const text = toText(serializer, property, (session as Record<string, unknown>)[property])
    const loaded = before.get(field)
    if (text === undefined || text === loaded) continue
    if (loaded === undefined || !(await sameValue(field, loaded, text, serializer))) written.push(property)
  }
  return written
}

export function announceRotation(context: Context, from: string, to: string, reason: string): void {
  context.announcer.announce('rotated', { handle: handleOf(to), previousHandle: handleOf(from), reason })
}
