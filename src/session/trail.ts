import { END_TRAIL, LEAVE_TRAIL } from '../redis/scripts/trail.js'
import type { Context } from './context.js'

/*
 * A request that has loaded a session may end it after another request has given it a new id: a logout in one tab, a
 * re-authentication in the other. The two ids have different keys, so there is no one script for both:
 *
 *     rotation   1 leave the trail   2 take the session away   3 write it under the next id   4 look at the trail
 *     end        1 end the session   2 if there is none: mark the trail   3 end what it leads to
 *
 * If the end marks the trail before the rotation looks at it, the rotation ends the session itself. If it does so later,
 * the session has been written by then, and is found.
 *
 * No cookie is ever looked up here: who comes with an old id learns nothing, and gets nothing. Only where the session
 * stays the same user's is there a trail. A login must not be undone by the logout of who was there before.
 */

/** How long requests that were under way with the old id are recognised: far longer than any of them takes. */
const KEPT_MS = 60_000

/** Notes that an id is given up. Nothing follows its session. */
export async function markRotated({ gateway, keys }: Context, storedId: string): Promise<void> {
  // Ending a session must not depend on Redis having memory left, or on the permission to write strings.
  await gateway.setMarker(keys.rotated(storedId), KEPT_MS).catch(() => undefined)
}

/** The same for a session that goes on under another id, and is to be ended there by who ends it here. */
export async function leaveTrail({ gateway, keys }: Context, storedId: string, to: string): Promise<void> {
  await gateway.script(LEAVE_TRAIL, keys.rotated(storedId), [to, KEPT_MS])
}

export async function wasRotated({ gateway, keys }: Context, storedIds: readonly string[]): Promise<boolean> {
  const found = await Promise.all(storedIds.map((storedId) => gateway.exists(keys.rotated(storedId))))
  return found.includes(true)
}

/** Marks the trails of a session that has not been found. Resolves the stored ids that they lead to. */
export async function endTrails({ gateway, keys }: Context, storedIds: readonly string[]): Promise<string[]> {
  const ends = storedIds.map(async (storedId) => {
    const key = keys.rotated(storedId)
    // Nobody's logout writes nothing.
    if (!(await gateway.get(key))) return []
    const trail = await gateway.script(END_TRAIL, key, [KEPT_MS])
    return trail.split(' ').slice(1)
  })
  return (await Promise.all(ends)).flat()
}

/** Whether somebody has ended the session while it went on; also where nobody can tell any more. */
export async function endedOnTheWay({ gateway, keys }: Context, storedIds: readonly string[]): Promise<boolean> {
  const trails = await Promise.all(storedIds.map((storedId) => gateway.get(keys.rotated(storedId))))
  return trails.some((trail) => typeof trail !== 'string' || trail.startsWith('!'))
}
