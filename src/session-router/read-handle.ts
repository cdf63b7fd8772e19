import type { IncomingMessage } from 'node:http'
import { HttpError } from '../http-error.js'
import { readBody } from '../pages/read-body.js'

const MAX_HANDLE_LENGTH = 64
const MISSING = 'the body must name one "handle"'

/** @throws HttpError if the body cannot be read, or names no handle */
export async function readHandle(req: IncomingMessage): Promise<string> {
  const { handle } = await readBody(req, ['handle'], MISSING)
  if (typeof handle !== 'string' || handle === '' || handle.length > MAX_HANDLE_LENGTH) {
    throw new HttpError(400, MISSING)
  }
  return handle
}
