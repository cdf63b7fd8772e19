/** Reads that a function may do with a sample. A function that loops over a sample would never end. */
const MAX_READS = 1_000

/**
 * Finds out which properties of a session a function reads, by calling it with two samples: an empty session, and one
 * that has every property. What a function reads only of certain sessions may be missed. An exception of the function
 * is ignored, because it was not made for samples.
 *
 * @param names the properties in question; a function that goes through all properties finds these
 */
export function propertiesRead(read: (session: never) => unknown, names: Iterable<string>): Set<string> {
  const found = new Set<string>()
  const all = [...names]
  for (const isFull of [false, true]) {
    try {
      const result = read(sample(found, all, isFull) as never)
      if (result instanceof Promise) result.catch(() => undefined)
    } catch {
      // A function that cannot read the sample has shown what it reads first.
    }
  }
  return found
}

/** Makes a session that notes which of its properties are read. */
function sample(found: Set<string>, names: readonly string[], isFull: boolean): object {
  const left = { reads: MAX_READS }
  const note = (name: string | symbol): unknown => {
    count(left)
    if (typeof name !== 'string') return undefined
    found.add(name)
    return isFull ? anything(left) : undefined
  }
  return new Proxy(Object.fromEntries(names.map((name) => [name, undefined])), {
    get: (_target, name) => note(name),
    has: (_target, name) => note(name) !== undefined,
    getOwnPropertyDescriptor: (_target, name) => {
      const value = note(name)
      return { value, writable: true, enumerable: true, configurable: true }
    },
  })
}

/** Makes a value with every property, which can also be called, and used as a text. */
function anything(left: { reads: number }): unknown {
  return new Proxy(function sampleValue() {}, {
    get: (_target, name) => {
      count(left)
      return name === Symbol.toPrimitive ? () => 'x' : anything(left)
    },
    apply: () => anything(left),
  })
}

function count(left: { reads: number }): void {
  left.reads -= 1
  if (left.reads < 0) throw new Error('this function does not end with a sample')
}
