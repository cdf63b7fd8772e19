import { takeOut } from '../take-out.js'

/**
 * Converts the reply to HGETALL into a flat list. ioredis returns an object or a flat list; a reply transformer of the
 * application may return a Map. Empties the reply (take-out.ts).
 */
export function flatten(reply: unknown): string[] | undefined {
  // A status, for example QUEUED, may come as bytes.
  if (typeof reply !== 'object' || reply === null || reply instanceof Uint8Array) return undefined
  if (Array.isArray(reply)) return Array.isArray(reply[0]) ? reply.flat() : textsIn(reply as string[])
  if (reply instanceof Map) {
    const entries = [...reply.entries()].flat()
    reply.clear()
    return entries
  }
  const flat: string[] = []
  const texts = reply as Record<string, string>
  for (const field of Object.keys(texts)) {
    flat.push(field, texts[field] as string)
    texts[field] = ''
  }
  return takeOut(flat)
}

/** Takes the elements out of a reply, as texts. */
export function textsIn<T>(reply: T[]): T[] {
  const taken = takeOut(reply)
  for (let i = 0; i < taken.length; i++) taken[i] = textOf(taken[i]) as T
  return taken
}

/** Commands that are sent raw are answered with bytes in place of texts. */
function textOf(part: unknown): unknown {
  if (part instanceof Uint8Array) return (part as Buffer).toString()
  return Array.isArray(part) ? part.map(textOf) : part
}
