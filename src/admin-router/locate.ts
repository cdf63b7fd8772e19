import type { ServerResponse } from 'node:http'
import type { AdminAccess } from '../admin/admin-access.js'
import { idsUnder, withHandle } from '../admin/selection.js'
import type { IndexEntry } from '../hash/index-fields.js'
import { HttpError } from '../http-error.js'
import { isHandle } from '../ids/handle.js'
import type { Budget } from './budget.js'
import { TryAgain } from './try-again.js'

/**
 * Finds the stored id of the session with this handle.
 *
 * @param hint an index value that the session has, perhaps: it is looked for there first, which is cheap
 * @throws HttpError 404 if there is none, TryAgain if the time was too short to know
 */
export async function locate(
  access: AdminAccess,
  budget: Budget,
  res: ServerResponse,
  handle: string,
  hint: IndexEntry | undefined,
): Promise<string> {
  if (!isHandle(handle)) throw noSession()
  return budget.walk(res, async (walk) => {
    if (hint !== undefined) {
      for await (const batch of walk.through(() => idsUnder(access, hint))) {
        const found = await withHandle(access, batch, handle)
        if (found !== undefined) return found
      }
    }
    for await (const batch of walk.through((place) => access.keyspace.candidates(place))) {
      const found = await withHandle(access, batch, handle)
      if (found !== undefined) return found
    }
    if (walk.isCut) throw new TryAgain(`it is not among the first ${walk.count} sessions, and the time is up: ${HINT}`)
    throw noSession()
  })
}

const HINT = 'come from the list of the sessions of its user'

export function noSession(): HttpError {
  return new HttpError(404, 'there is no such session')
}
