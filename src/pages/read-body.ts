import type { IncomingMessage } from 'node:http'
import { HttpError } from '../http-error.js'
import { bodyText } from './body-text.js'

/** Far more than a form of these pages has. */
const MAX_BODY_BYTES = 4096

/**
 * Reads the fields of a form or of a JSON object. Uses `req.body` if another middleware has parsed it.
 *
 * @param names the fields that may be there, of which one at least must be; others are left out
 * @param missing the error message if none of them is there
 * @returns the values by name: a field that comes twice is undefined
 * @throws HttpError if the body is too large, of another type or malformed, or has none of these fields
 */
export async function readBody<Name extends string>(
  req: IncomingMessage & { body?: unknown },
  names: readonly Name[],
  missing: string,
): Promise<Partial<Record<Name, unknown>>> {
  // Body parsers set `req.body` to an empty object, without reading the body, if they do not support its type.
  const parsedBefore = fieldsIn(req.body, names)
  if (parsedBefore !== undefined) return parsedBefore
  // A parser has read it, and found no field.
  if (req.readableEnded) throw new HttpError(400, missing)
  const fields = fieldsIn(parsed(typeOf(req), await bodyText(req, MAX_BODY_BYTES)), names)
  if (fields === undefined) throw new HttpError(400, missing)
  return fields
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
    const form = new URLSearchParams(text)
    const single = [...new Set(form.keys())].filter((name) => form.getAll(name).length === 1)
    return Object.fromEntries(single.map((name) => [name, form.get(name)]))
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new HttpError(400, 'the body is not valid JSON')
  }
}

/** Picks the named fields; undefined if there is none of them. */
function fieldsIn<Name extends string>(
  body: unknown,
  names: readonly Name[],
): Partial<Record<Name, unknown>> | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const there = names.filter((name) => Object.hasOwn(body, name))
  if (there.length === 0) return undefined
  return Object.fromEntries(there.map((name) => [name, (body as Record<Name, unknown>)[name]])) as never
}
