/** How many there are of what would be too large, or too busy, as one. */
const QUEUES = 8

/** Where things live. What is no session is under `'idx:' + prefix`, which the pattern of sessions never matches. */
export class Keys {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  session(storedId: string): string {
    return this.prefix + storedId
  }

  /** Tells for a while that this id was given up for a new one. No index has this name. */
  rotated(storedId: string): string {
    return `idx:${this.prefix}@rotated:${storedId}`
  }

  /** Stored ids by value, which is encoded. */
  index(name: string, value: string): string {
    return `idx:${this.prefix}${name}:${value}`
  }

  /** Who was active in one span of time, by what it begins with in milliseconds since 1970. */
  activity(counted: string, step: string, start: number): string {
    return `idx:${this.prefix}@activity:${counted}:${step}:${start}`
  }

  /** The channel on which processes tell each other of sessions that have ended (`broadcast` option). */
  endedChannel(): string {
    return `idx:${this.prefix}@ended`
  }

  /** In which it is noted when a session ends. */
  endsOf(storedId: string): string {
    let sum = 0
    for (let i = 0; i < storedId.length; i++) sum += storedId.charCodeAt(i)
    return this.#ends(sum % QUEUES)
  }

  allEnds(): string[] {
    return Array.from({ length: QUEUES }, (_, i) => this.#ends(i))
  }

  #ends(queue: number): string {
    return `idx:${this.prefix}@ends:${queue}`
  }

  /** A key that is always on the Redis node of that session: what is in braces decides, as the whole key does there. */
  mark(storedId: string, clientPrefix: string): string {
    return `idx:${this.prefix}@mark:{${clientPrefix}${this.session(storedId)}}`
  }

  /** The name of the index that a key is of; '' for what is none. */
  indexName(key: string): string {
    return key.slice(`idx:${this.prefix}`.length).split(':', 1)[0] as string
  }

  storedId(key: string, clientPrefix: string): string {
    return key.slice(clientPrefix.length + this.prefix.length)
  }

  /** Of every session. */
  pattern(clientPrefix: string): string {
    return startingWith(clientPrefix + this.prefix)
  }

  /** Of everything that is no session. */
  indexPattern(clientPrefix: string): string {
    return startingWith(`${clientPrefix}idx:${this.prefix}`)
  }
}

/** A prefix is text, not a pattern: `a*b:` must not list another application's keys. */
function startingWith(text: string): string {
  return `${text.replace(/[\\*?[\]]/g, '\\$&')}*`
}
