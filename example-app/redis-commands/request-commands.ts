import type { CommandWatcher } from './watch-commands.js'

/** Commands of one name on one kind of key. */
export interface CommandRow {
  readonly name: string
  /** Such as `session`: pages show no key. */
  readonly kind: string
  readonly count: number
  /** Milliseconds in which at least one of them was under way. */
  readonly ms: number
}

/** The commands that one request has sent so far. */
export class RequestCommands implements CommandWatcher {
  /** Method and path of the request. */
  readonly what: string
  readonly #kindOf: (key: string | undefined) => string
  readonly #all = new UnderWay('', '')
  readonly #rows = new Map<string, UnderWay>()

  constructor(what: string, kindOf: (key: string | undefined) => string) {
    this.what = what
    this.#kindOf = kindOf
  }

  sent(name: string, key: string | undefined): () => void {
    const row = this.#rowOf(name, this.#kindOf(key))
    for (const each of [this.#all, row]) each.begin()
    return () => {
      for (const each of [this.#all, row]) each.end()
    }
  }

  get rows(): readonly CommandRow[] {
    return [...this.#rows.values()]
  }

  get count(): number {
    return this.#all.count
  }

  /** Milliseconds in which at least one command was under way. Commands that were sent together are not added up. */
  get ms(): number {
    return this.#all.ms
  }

  #rowOf(name: string, kind: string): UnderWay {
    const row = this.#rows.get(`${name} ${kind}`) ?? new UnderWay(name, kind)
    this.#rows.set(`${name} ${kind}`, row)
    return row
  }
}

class UnderWay implements CommandRow {
  readonly name: string
  readonly kind: string
  count = 0
  ms = 0
  #now = 0
  #since = 0

  constructor(name: string, kind: string) {
    this.name = name
    this.kind = kind
  }

  begin(): void {
    this.count += 1
    if (this.#now++ === 0) this.#since = performance.now()
  }

  end(): void {
    if (--this.#now === 0) this.ms += performance.now() - this.#since
  }
}
