/** Where things live. What is no session is under `'idx:' + prefix`, which the pattern of sessions never matches. */
export class Keys {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  session(storedId: string): string {
    return this.prefix + storedId
  }

  /** Tells for a while that this id was given up for a new one. */
  rotated(storedId: string): string {
    return `idx:${this.prefix}rotated:${storedId}`
  }

  storedId(key: string, clientPrefix: string): string {
    return key.slice(clientPrefix.length + this.prefix.length)
  }

  /** The prefix is text, not a pattern: `a*b:` must not list another application's keys. */
  pattern(clientPrefix: string): string {
    return `${(clientPrefix + this.prefix).replace(/[\\*?[\]]/g, '\\$&')}*`
  }
}
