import type { IncomingMessage } from 'node:http'
import { bodyText } from '../pages/body-text.js'
import { InvalidToken } from './logout-token.js'

/** A token has 1000 bytes, or a few thousand with a chain of certificates. */
const MAX_BODY_BYTES = 16_384

/**
 * Reads the logout token of a request from a form. Uses `req.body` if another middleware has parsed it.
 *
 * @throws InvalidToken if there is none, or not exactly one; HttpError for a body that does not arrive, or is too large
 */
export async function readLogoutToken(req: IncomingMessage & { body?: unknown }): Promise<string> {
  const parsed = tokenIn(req.body)
  const tokens = parsed === undefined ? new URLSearchParams(await form(req)).getAll('logout_token') : [parsed]
  const [token] = tokens
  if (tokens.length !== 1 || typeof token !== 'string' || token === '' || token.length > MAX_BODY_BYTES) {
    throw new InvalidToken('the body must have one logout_token')
  }
  return token
}

function form(req: IncomingMessage): Promise<string> {
  const [type = ''] = (req.headers['content-type'] ?? '').toLowerCase().split(';', 1)
  if (type.trim() !== 'application/x-www-form-urlencoded') {
    throw new InvalidToken('the body must be application/x-www-form-urlencoded')
  }
  return bodyText(req, MAX_BODY_BYTES)
}

function tokenIn(body: unknown): unknown {
  const isObject = typeof body === 'object' && body !== null
  return isObject && Object.hasOwn(body, 'logout_token') ? (body as { logout_token: unknown }).logout_token : undefined
}
