/**
 * Converts the reply to HGETALL into a flat list. ioredis returns an object or a flat list; a reply transformer of the
 * application may return a Map. Empties the reply, see `takeOut`.
 */
export function flatten(reply: unknown): string[] | undefined {
  // A status, for example QUEUED, may come as bytes.
  if (typeof reply !== 'object' || reply === null || reply instanceof Uint8Array) return undefined
  if (Array.isArray(reply)) return Array.isArray(reply[0]) ? reply.flat() : takeOut(reply as string[])
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
  return flat
}

/**
 * Copies a reply and empties the original. A command of ioredis, with its reply, stays in memory until the next full
 * garbage collection: V8 allocates a closure that is assigned to a property (`this.reject = …`) in the old generation,
 * and it keeps everything it refers to. Without this, minor collections had to copy all these replies, which took as
 * long as reading the sessions.
 */
export function takeOut<T>(reply: T[]): T[] {
  const taken = new Array<T>(reply.length)
  for (let i = 0; i < taken.length; i++) taken[i] = textOf(reply[i]) as T
  reply.length = 0
  return taken
}

/** Commands that are sent raw are answered with bytes in place of texts. */
function textOf(part: unknown): unknown {
  if (part instanceof Uint8Array) return (part as Buffer).toString()
  return Array.isArray(part) ? part.map(textOf) : part
}
