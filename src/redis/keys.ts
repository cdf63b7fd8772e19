/** Number of queues of ended sessions. One queue alone could become too large or too busy. */
const QUEUES = 8

/**
 * Builds the names of keys. All keys but sessions begin with `'idx:' + prefix`, which the pattern of sessions never
 * matches.
 */
export class Keys {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  session(storedId: string): string {
    return this.prefix + storedId
  }

  /** A key that exists for a while after a session has left this id for a new one. No index can have this name. */
  rotated(storedId: string): string {
    return `idx:${this.prefix}@rotated:${storedId}`
  }

  /** A key that exists for a while after a logout token has been used. */
  usedToken(digest: string): string {
    return `idx:${this.prefix}@token:${digest}`
  }

  /**
   * The sorted set of all stored ids that have a value in an index.
   *
   * @param value encoded (hash/index-fields.ts)
   */
  index(name: string, value: string): string {
    return `idx:${this.prefix}${name}:${value}`
  }

  /**
   * Counts the users or sessions that were active in a span of time.
   *
   * @param start beginning of the span, milliseconds since 1970
   */
  activity(counted: string, step: string, start: number): string {
    return `idx:${this.prefix}@activity:${counted}:${step}:${start}`
  }

  /** The queue that notes when this session ends. */
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

  /**
   * A key in the same Cluster slot as the session: Redis hashes the text in braces, which is the key of the session.
   */
  mark(storedId: string, clientPrefix: string): string {
    return `idx:${this.prefix}@mark:{${clientPrefix}${this.session(storedId)}}`
  }

  /** The name of the index to which a key belongs; '' if it belongs to none. */
  indexName(key: string): string {
    return key.slice(`idx:${this.prefix}`.length).split(':', 1)[0] as string
  }

  storedId(key: string, clientPrefix: string): string {
    return key.slice(clientPrefix.length + this.prefix.length)
  }

  /** A glob pattern that matches the keys of all sessions. */
  pattern(clientPrefix: string): string {
    return startingWith(clientPrefix + this.prefix)
  }

  /** A glob pattern that matches all other keys of the store. */
  indexPattern(clientPrefix: string): string {
    return startingWith(`${clientPrefix}idx:${this.prefix}`)
  }
}

/** Escapes the text in the pattern, so that the prefix `a*b:` does not match the keys of another application. */
function startingWith(text: string): string {
  return `${text.replace(/[\\*?[\]]/g, '\\$&')}*`
}
