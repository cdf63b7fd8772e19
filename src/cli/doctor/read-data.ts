import { Keys } from '../../redis/keys.js'
import type { DataFacts } from './facts.js'
import type { Questions } from './questions.js'

/** Milliseconds after which no more keys are looked at. */
const PATIENCE_MS = 5000
const PAGE = 1000
/** Sessions whose memory is measured. */
const MEASURED = 200
/** Other prefixes that are looked into, and keys of each. */
const MAX_PREFIXES = 50
const TRIED = 3
/** How connect-redis begins a session. */
const STRING_START = /^\s*\{"cookie":/

export interface Look {
  /** The store's prefix. */
  prefix: string
  /** How many keys the database has, as INFO says. */
  total: number
  /** Whether the user may look into keys under other prefixes. */
  mayLookElsewhere: boolean
}

/**
 * Looks at the keys of the database, as many as it can in a few seconds. It reads no session: of a string, the first
 * bytes only.
 *
 * @returns undefined if the user may not run SCAN
 */
export async function readData(connection: Questions, look: Look): Promise<DataFacts | undefined> {
  const walked = new WalkedKeys(connection, look)
  const end = performance.now() + PATIENCE_MS
  let cursor = '0'
  let looked = 0
  do {
    const page = await connection.list('SCAN', cursor, 'COUNT', PAGE)
    if (!Array.isArray(page?.[1])) return undefined
    const keys = (page[1] as unknown[]).map(String)
    await walked.add(keys)
    looked += keys.length
    cursor = String(page[0])
  } while (cursor !== '0' && performance.now() < end)
  const total = cursor === '0' ? looked : Math.max(looked, look.total)
  return { looked, total, ...(await walked.facts()) }
}

class WalkedKeys {
  readonly #connection: Questions
  readonly #keys: Keys
  readonly #mayLookElsewhere: boolean
  readonly #others = new Map<string, string[]>()
  readonly #sample: string[] = []
  #sessions = 0
  #strings = 0
  #withoutTtl = 0

  constructor(connection: Questions, { prefix, mayLookElsewhere }: Look) {
    this.#connection = connection
    this.#keys = new Keys(prefix)
    this.#mayLookElsewhere = mayLookElsewhere
  }

  async add(keys: readonly string[]): Promise<void> {
    const own: string[] = []
    for (const key of keys) {
      if (key.startsWith(this.#keys.prefix)) own.push(key)
      else if (this.#mayLookElsewhere) this.#addOther(key)
    }
    const types = await Promise.all(own.map((key) => this.#connection.text('TYPE', key)))
    const ttls = await Promise.all(own.map((key) => this.#connection.ask('PTTL', key)))
    for (const [i, key] of own.entries()) {
      if (types[i] !== 'hash' && types[i] !== 'string') continue
      this.#sessions += 1
      if (types[i] === 'string') this.#strings += 1
      const ttl = ttls[i]
      if (ttl !== undefined && 'value' in ttl && Number(ttl.value) === -1) this.#withoutTtl += 1
      if (this.#sample.length < MEASURED) this.#sample.push(key)
    }
  }

  async facts(): Promise<Omit<DataFacts, 'looked' | 'total'>> {
    const others: string[] = []
    for (const [prefix, keys] of this.#others) if (await this.#hasSessions(keys)) others.push(prefix)
    return {
      sessions: this.#sessions,
      strings: this.#strings,
      withoutTtl: this.#withoutTtl,
      meanBytes: await this.#meanBytes(),
      others: others.sort(),
    }
  }

  #addOther(key: string): void {
    const prefix = key.slice(0, key.indexOf(':') + 1)
    if (prefix === '' || prefix === 'idx:') return
    const keys = this.#others.get(prefix) ?? []
    if (keys.length >= TRIED || (keys.length === 0 && this.#others.size >= MAX_PREFIXES)) return
    keys.push(key)
    this.#others.set(prefix, keys)
  }

  async #hasSessions(keys: readonly string[]): Promise<boolean> {
    const found = await Promise.all(keys.map((key) => this.#looksLikeSession(key)))
    return found.includes(true)
  }

  async #looksLikeSession(key: string): Promise<boolean> {
    const type = await this.#connection.text('TYPE', key)
    if (type === 'hash') {
      return (await this.#connection.text('HGET', key, '@')) !== undefined
    }
    if (type !== 'string') return false
    return STRING_START.test((await this.#connection.text('GETRANGE', key, 0, 31)) ?? '')
  }

  async #meanBytes(): Promise<number | undefined> {
    const answers = await Promise.all(this.#sample.map((key) => this.#connection.ask('MEMORY', 'USAGE', key)))
    const sizes = answers.flatMap((answer) =>
      'value' in answer && answer.value !== null ? [Number(answer.value)] : [],
    )
    return sizes.length === 0 ? undefined : sizes.reduce((sum, size) => sum + size, 0) / sizes.length
  }
}
