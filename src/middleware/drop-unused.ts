import type { ServerResponse } from 'node:http'
import type { StoreAccess } from '../requests/store-access.js'
import { beforeResponse } from './before-response.js'
import { abandonSession, type SessionRequest } from './session-request.js'

/** Neither saves the new session that the request has just got, nor sends its cookie, unless somebody uses it. */
export function dropUnused(
  req: SessionRequest,
  res: ServerResponse,
  next: (err?: unknown) => void,
  store: StoreAccess,
): void {
  const fresh = req.session
  beforeResponse(req, res, next, 'drop', () => {
    const isUnused = fresh !== undefined && req.session === fresh && !store.state.isStored(fresh)
    if (isUnused && !store.state.isChanged(fresh)) abandonSession(req)
    return undefined
  })
}
