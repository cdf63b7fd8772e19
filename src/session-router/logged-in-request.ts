import type { ServerResponse } from 'node:http'
import type { SessionRequest } from '../middleware/session-request.js'
import type { RequestOfUser, ResolvedSessionRouter } from './options.js'
import { Refusal } from './refusal.js'

/** A request of somebody who is logged in. */
export interface Visit {
  req: SessionRequest
  res: ServerResponse
  user: string | number
  sid: string
}

/** @throws Refusal of who is not logged in */
export function visitOf({ store, user }: ResolvedSessionRouter, req: SessionRequest, res: ServerResponse): Visit {
  const { session, sessionID, sessionStore } = req
  if (!session || sessionID === undefined) throw new Refusal(401, NOT_LOGGED_IN)
  if (sessionStore !== store) throw new Error('sessionRouter() needs the store of the session() in front of it')
  const id = user(req as RequestOfUser)
  if (id === undefined || id === null || id === '') throw new Refusal(401, NOT_LOGGED_IN)
  if (typeof id !== 'string' && !Number.isFinite(id)) {
    throw new TypeError('"user" option must return the user\'s id at once, a string or a number')
  }
  return { req, res, user: id as string | number, sid: sessionID }
}

const NOT_LOGGED_IN = 'you are not logged in'
