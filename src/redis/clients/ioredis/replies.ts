/**
 * Converts the reply to HGETALL into a flat list. ioredis returns an object or a flat list; a reply transformer of the
 * application may return a Map. Empties the reply, see `takeOut`.
 */
export function flatten(reply: unknown): string[] | undefined {
  if (typeof reply !== 'object' || reply === null) return undefined
  if (Array.isArray(reply)) return Array.isArray(reply[0]) ? reply.flat() : takeOut(reply)
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
  const taken = reply.slice()
  reply.length = 0
  return taken
}
