import { isHandle } from '../ids/handle.js'
import { inspectSession } from '../session/inspect.js'
import type { SessionInfo } from '../session-info.js'
import type { AdminAccess } from './admin-access.js'
import { withHandle } from './selection.js'

/**
 * Searches all keys for the session with this handle; null if there is none.
 *
 * @throws TypeError if the handle is no text
 */
export async function findSession(store: AdminAccess, handle: string): Promise<SessionInfo | null> {
  if (typeof handle !== 'string') throw new TypeError('find takes the handle of a session: store.find(info.handle)')
  if (!isHandle(handle)) return null
  for await (const batch of store.keyspace.candidates()) {
    const storedId = await withHandle(store, batch, handle)
    if (storedId === undefined) continue
    return (await store.within(inspectSession(store.context, storedId)))?.info ?? null
  }
  return null
}
