import type { CommandWatcher } from './watch-commands.js'

/** Commands of one name on one kind of key. */
export interface CommandRow {
  name: string
  /** Such as `session`: pages show no key. */
  kind: string
  count: number
  /** Milliseconds from sending to the reply, of all of them. */
  ms: number
}

/** The commands that one request has sent so far. */
export class RequestCommands implements CommandWatcher {
  /** Method and path of the request. */
  readonly what: string
  readonly #kindOf: (key: string | undefined) => string
  readonly #rows = new Map<string, CommandRow>()
  #waiting = 0
  #waitingSince = 0
  #waitedMs = 0

  constructor(what: string, kindOf: (key: string | undefined) => string) {
    this.what = what
    this.#kindOf = kindOf
  }

  sent(name: string, key: string | undefined): () => void {
    const row = this.#rowOf(name, this.#kindOf(key))
    row.count += 1
    const start = performance.now()
    if (this.#waiting++ === 0) this.#waitingSince = start
    return () => {
      const now = performance.now()
      row.ms += now - start
      if (--this.#waiting === 0) this.#waitedMs += now - this.#waitingSince
    }
  }

  get rows(): readonly CommandRow[] {
    return [...this.#rows.values()]
  }

  get count(): number {
    return this.rows.reduce((sum, { count }) => sum + count, 0)
  }

  /** Milliseconds in which a reply was awaited. Less than the sum of all commands if some were sent together. */
  get waitedMs(): number {
    return this.#waitedMs
  }

  #rowOf(name: string, kind: string): CommandRow {
    const row = this.#rows.get(`${name} ${kind}`) ?? { name, kind, count: 0, ms: 0 }
    this.#rows.set(`${name} ${kind}`, row)
    return row
  }
}
