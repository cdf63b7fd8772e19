/** Where sessions live. Index keys will live under `'idx:' + prefix`, which this pattern must never match. */
export class Keys {
  readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  session(storedId: string): string {
    return this.prefix + storedId
  }

  storedId(key: string, clientPrefix: string): string {
    return key.slice(clientPrefix.length + this.prefix.length)
  }

  /** The prefix is text, not a pattern: `a*b:` must not list another application's keys. */
  pattern(clientPrefix: string): string {
    return `${(clientPrefix + this.prefix).replace(/[\\*?[\]]/g, '\\$&')}*`
  }
}
