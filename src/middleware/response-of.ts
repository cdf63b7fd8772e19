import type { IncomingMessage, ServerResponse } from 'node:http'
import { attachment } from '../requests/attachment.js'
import { isStandIn } from './stand-in.js'

const noted = attachment<ServerResponse>()

/** Remembers the response that a middleware got with its request. Returns whether it is news. */
export function noteResponse(req: IncomingMessage, res: ServerResponse): boolean {
  if (noted.get(req) === res) return false
  noted.set(req, res)
  return true
}

/**
 * The response to a request; undefined if nobody can tell. Express leads to it, middleware of this library has noted it,
 * and without both, Node's server keeps it with the connection while it is that response's turn.
 */
export function responseOf(req: IncomingMessage & { res?: ServerResponse }): ServerResponse | undefined {
  const ofConnection = (req.socket as { _httpMessage?: ServerResponse | null } | undefined)?._httpMessage
  return noted.get(req) ?? req.res ?? (ofConnection?.req === req ? ofConnection : undefined)
}

/** Whether no response can bring a cookie: there is a stand-in for one, or the connection has become a socket. */
export function isWithoutResponse(
  req: IncomingMessage & { upgrade?: boolean },
  res: ServerResponse | undefined,
): boolean {
  return req.upgrade === true || (res !== undefined && isStandIn(res))
}
