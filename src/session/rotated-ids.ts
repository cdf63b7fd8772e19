import { END_TRAIL, LEAVE_TRAIL, MARK_ROTATED } from '../redis/scripts/rotated-ids.js'
import type { Context } from './context.js'

/*
 * A request that has loaded a session may end it after another request has given it a new id. Example: a logout in one
 * tab and a re-authentication in another one. The two ids have different keys, so no one script can cover both:
 *
 *     rotation   1 leave the trail   2 take the session away   3 write it under the next id   4 look at the trail
 *     end        1 end the session   2 if there is none: mark the trail   3 end the session that it leads to
 *
 * If the end marks the trail before the rotation looks at it, the rotation ends the session itself. If the end marks
 * the trail later, the session has been written by then, and the end finds it.
 *
 * A trail is never used to look up the id of a cookie: a visitor with an old id learns nothing and gets nothing. A
 * trail is left only if the session stays with the same user, because a login must not be undone by the logout of the
 * previous user.
 */

/** Milliseconds for which requests under way with the old id are recognised: far longer than any of them takes. */
const REMEMBERED_MS = 60_000

/** Notes that an id is given up, without a trail to another id. */
export async function markRotated({ gateway, keys }: Context, storedId: string): Promise<void> {
  // The end of a session must not depend on free memory in Redis, or on the permission to write strings.
  await gateway.script(MARK_ROTATED, keys.rotated(storedId), [REMEMBERED_MS]).catch(() => undefined)
}

/** Notes that an id is given up, and which id the session goes on under, so that ending the old id ends the new one. */
export async function leaveTrail({ gateway, keys }: Context, storedId: string, to: string): Promise<void> {
  await gateway.script(LEAVE_TRAIL, keys.rotated(storedId), [to, REMEMBERED_MS])
}

export async function wasRotated({ gateway, keys }: Context, storedIds: readonly string[]): Promise<boolean> {
  const found = await Promise.all(storedIds.map((storedId) => gateway.exists(keys.rotated(storedId))))
  return found.includes(true)
}

/** Marks the trails of a session that was not found. Resolves the stored ids that the trails lead to. */
export async function endTrails({ gateway, keys }: Context, storedIds: readonly string[]): Promise<string[]> {
  const ends = storedIds.map(async (storedId) => {
    const key = keys.rotated(storedId)
    // The logout of a session that never existed must not write a key.
    if (!(await gateway.get(key))) return []
    const trail = await gateway.script(END_TRAIL, key, [REMEMBERED_MS])
    return trail.split(' ').slice(1)
  })
  return (await Promise.all(ends)).flat()
}

/**
 * Whether the session was ended while it got its new id. True also if a trail is gone, because then nobody can tell.
 */
export async function endedOnTheWay({ gateway, keys }: Context, storedIds: readonly string[]): Promise<boolean> {
  const trails = await Promise.all(storedIds.map((storedId) => gateway.get(keys.rotated(storedId))))
  return trails.some((trail) => typeof trail !== 'string' || trail.startsWith('!'))
}
