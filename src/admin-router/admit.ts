import type { ServerResponse } from 'node:http'
import { HttpError } from '../http-error.js'
import { inTime } from './in-time.js'
import type { AdminRequest, ResolvedAdminRouter } from './options.js'

/** `authorize` has answered the request itself, for example with a redirect to a login. */
export class Answered extends Error {
  override readonly name = 'Answered'
}

/**
 * Asks the application whether the request may go on.
 *
 * @returns what `authorize` has returned: who makes the request
 * @throws HttpError 403 if they may not, Answered, or whatever `authorize` throws
 */
export async function admit(
  { authorize }: ResolvedAdminRouter,
  req: AdminRequest,
  res: ServerResponse,
  ms: number,
): Promise<unknown> {
  const who = await inTime('authorize', ms, () => authorize(req, res))
  if (res.headersSent || res.writableEnded) throw new Answered('authorize has answered')
  // `(req, res) => req.user ?? res.status(401)` is a mistake that must let nobody in.
  if (!who || who === res || who === req) throw new HttpError(403, 'you may not administer sessions')
  return who
}
