import type { IncomingMessage } from 'node:http'
import { Refusal } from './refusal.js'

/** A handle takes 22 characters: anything much larger is no form of ours. */
const LONGEST_BODY = 4096
const LONGEST_HANDLE = 64

/**
 * The handle that a form or a JSON body names. Where another middleware has parsed the body, that is taken.
 *
 * @throws Refusal of a body that is too large, of another type, or broken, or names no handle
 */
export async function handleInBody(req: IncomingMessage & { body?: unknown }): Promise<string> {
  // Parsers leave an empty object behind where the body is of a type that is not theirs, without reading it.
  const handle = ownHandle(req.body) ?? parsed(typeOf(req), await textOf(req))
  if (typeof handle !== 'string' || handle === '' || handle.length > LONGEST_HANDLE) {
    throw new Refusal(400, 'the body must name one "handle"')
  }
  return handle
}

type BodyType = 'form' | 'json'

function typeOf(req: IncomingMessage): BodyType {
  const [type] = (req.headers['content-type'] ?? '').toLowerCase().split(';', 1)
  const isPlain = (req.headers['content-encoding'] ?? 'identity') === 'identity'
  if (isPlain && type?.trim() === 'application/x-www-form-urlencoded') return 'form'
  if (isPlain && type?.trim() === 'application/json') return 'json'
  throw new Refusal(415, 'the body must be application/x-www-form-urlencoded or application/json')
}

function parsed(type: BodyType, text: string): unknown {
  if (type === 'form') {
    const handles = new URLSearchParams(text).getAll('handle')
    return handles.length === 1 ? handles[0] : undefined
  }
  try {
    return ownHandle(JSON.parse(text))
  } catch {
    throw new Refusal(400, 'the body is not valid JSON')
  }
}

function ownHandle(body: unknown): unknown {
  return typeof body === 'object' && body !== null && Object.hasOwn(body, 'handle')
    ? (body as { handle: unknown }).handle
    : undefined
}

/** What is too large is not kept, however long it goes on. */
function textOf(req: IncomingMessage): Promise<string> {
  const tooLarge = new Refusal(413, `the body must be at most ${LONGEST_BODY} bytes`)
  // Cut off while the session was read, or read by a parser that found no handle: no event will tell.
  if (req.destroyed) return Promise.reject(new Refusal(400, 'the body names no "handle"'))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= LONGEST_BODY) chunks.push(chunk)
      else reject(tooLarge)
    })
    req.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    // After an error, too; at the end of a body that is complete, it comes too late to matter.
    req.once('close', () => reject(new Refusal(400, 'the body did not arrive')))
  })
}
