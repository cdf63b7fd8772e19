import type { ServerResponse } from 'node:http'
import { HttpError } from '../http-error.js'
import type { SessionRequest } from '../middleware/session-request.js'
import type { RequestOfUser, ResolvedSessionRouter } from './options.js'

/** A request whose user is logged in. */
export interface LoggedInRequest {
  req: SessionRequest
  res: ServerResponse
  user: string | number
  sid: string
}

/** @throws HttpError 401 if nobody is logged in */
export function loggedInRequest(
  { store, user }: ResolvedSessionRouter,
  req: SessionRequest,
  res: ServerResponse,
): LoggedInRequest {
  const { session, sessionID, sessionStore } = req
  if (!session || sessionID === undefined) throw new HttpError(401, NOT_LOGGED_IN)
  if (sessionStore !== store) throw new Error('sessionRouter() needs the store of the session() in front of it')
  const id = user(req as RequestOfUser)
  if (id === undefined || id === null || id === '') throw new HttpError(401, NOT_LOGGED_IN)
  if (typeof id !== 'string' && !Number.isFinite(id)) {
    throw new TypeError('"user" option must return the user\'s id at once, a string or a number')
  }
  return { req, res, user: id as string | number, sid: sessionID }
}

const NOT_LOGGED_IN = 'you are not logged in'
