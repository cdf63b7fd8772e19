import type { IncomingMessage } from 'node:http'
import { HttpError } from '../http-error.js'
import { bodyText } from './body-text.js'

/** Far more than needed: a handle has 22 characters. */
const MAX_BODY_BYTES = 4096
const MAX_HANDLE_LENGTH = 64

/**
 * Reads the handle from a form or a JSON body. Uses `req.body` if another middleware has parsed it.
 *
 * @throws HttpError if the body is too large, of another type or malformed, or names no handle
 */
export async function readHandle(req: IncomingMessage & { body?: unknown }): Promise<string> {
  // Body parsers set `req.body` to an empty object, without reading the body, if they do not support its type.
  const handle = ownHandle(req.body) ?? parsed(typeOf(req), await bodyText(req, MAX_BODY_BYTES))
  if (typeof handle !== 'string' || handle === '' || handle.length > MAX_HANDLE_LENGTH) {
    throw new HttpError(400, 'the body must name one "handle"')
  }
  return handle
}

type BodyType = 'form' | 'json'

function typeOf(req: IncomingMessage): BodyType {
  const [type] = (req.headers['content-type'] ?? '').toLowerCase().split(';', 1)
  const isPlain = (req.headers['content-encoding'] ?? 'identity') === 'identity'
  if (isPlain && type?.trim() === 'application/x-www-form-urlencoded') return 'form'
  if (isPlain && type?.trim() === 'application/json') return 'json'
  throw new HttpError(415, 'the body must be application/x-www-form-urlencoded or application/json')
}

function parsed(type: BodyType, text: string): unknown {
  if (type === 'form') {
    const handles = new URLSearchParams(text).getAll('handle')
    return handles.length === 1 ? handles[0] : undefined
  }
  try {
    return ownHandle(JSON.parse(text))
  } catch {
    throw new HttpError(400, 'the body is not valid JSON')
  }
}

function ownHandle(body: unknown): unknown {
  return typeof body === 'object' && body !== null && Object.hasOwn(body, 'handle')
    ? (body as { handle: unknown }).handle
    : undefined
}
