import { PlaceLost, type SavedPlace, ScanPlace } from '../../redis/scan-place.js'
import { fieldsOf } from '../doctor/facts.js'
import { CommandError, EXIT, type Io } from '../io.js'
import { Progress } from '../output/progress.js'
import { counted } from '../output/times.js'
import { type Opened, SCAN_COUNT } from './open-store.js'

/** What `--resume` takes: no key, and nothing of a session. */
interface Saved<Data> {
  version: 1
  /** The command and its selection, which must be the same. */
  of: string
  round: number
  place: SavedPlace
  count: number
  data: Data
}

export interface WalkOptions<Data> {
  /** The command and what it selects, e.g. `stats`. */
  of: string
  /** How often all keys are walked through. */
  rounds?: number
  resume: string | undefined
  /** What has been gathered so far, as JSON can hold it. */
  data: Data
}

type Batches = (place: ScanPlace) => AsyncIterable<readonly string[]>

/**
 * A walk through all keys that shows its progress, ends early on Ctrl-C, and says how to go on from there. If Redis fails
 * half-way, it says so, too.
 */
export class Walk<Data> {
  readonly data: Data
  /** What has been counted so far, in the unit of the round. */
  count = 0
  readonly #io: Io
  readonly #store: Opened
  readonly #of: string
  readonly #rounds: number
  #saved: Saved<Data> | undefined
  #round = 0
  #unit = 'session'
  #place: ScanPlace
  #total: number | undefined

  constructor(io: Io, store: Opened, { of, rounds = 1, resume, data }: WalkOptions<Data>) {
    this.#io = io
    this.#store = store
    this.#of = `${of} ${store.prefix}`
    this.#rounds = rounds
    this.#saved = resume === undefined ? undefined : parseSaved<Data>(resume, this.#of)
    this.data = this.#saved?.data ?? data
    this.count = this.#saved?.count ?? 0
    this.#place = new ScanPlace(io.stop)
  }

  /** Whether it has ended early, perhaps between two rounds. */
  get isStopped(): boolean {
    const isOver = this.#saved === undefined && this.#place.isDone && this.#round === this.#rounds
    return this.#io.stop.aborted && this.#round > 0 && !isOver
  }

  /**
   * Walks through all keys once.
   *
   * @param work returns true if it needs no more
   * @param unit what it counts
   * @throws CommandError with exit code 3 if Redis fails when some keys have been walked through
   */
  async round(batches: Batches, work: (batch: readonly string[]) => Promise<unknown>, unit = 'session'): Promise<void> {
    if (this.isStopped) return
    this.#round += 1
    const saved = this.#saved
    if (saved !== undefined && this.#round < saved.round) return
    this.#saved = undefined
    this.#unit = unit
    this.#place = new ScanPlace(this.#io.stop, saved?.place)
    this.#total ??= await countKeys(this.#store)
    const progress = new Progress(this.#io, unit, () => ({ part: this.#part(), count: this.count }))
    try {
      for await (const batch of batches(this.#place)) if ((await work(batch)) === true) break
    } catch (err) {
      throw this.#failure(err)
    } finally {
      progress.end()
    }
  }

  /** Says how to go on. @returns the exit code */
  stopped(): number {
    this.#io.err(`Stopped after ${counted(this.count, this.#unit)}. ${this.#hint()}\n`)
    return EXIT.stopped
  }

  #hint(): string {
    const saved: Saved<Data> = this.#saved ?? {
      version: 1,
      of: this.#of,
      round: this.#round,
      place: this.#place.save(),
      count: this.count,
      data: this.data,
    }
    return `Go on with the same command and --resume=${Buffer.from(JSON.stringify(saved)).toString('base64url')}`
  }

  #failure(err: unknown): unknown {
    if (err instanceof PlaceLost) {
      if (this.#place.hasBegun) return err
      return new CommandError('--resume: a server has been restarted or replaced since. Begin again without it.')
    }
    const isRedis = String((err as { code?: unknown }).code).startsWith('ERR_SESSION_')
    if (!isRedis || this.#place.pages === 0) return err
    // Only the message changes: what the user lacks is added later.
    return Object.assign(err as Error, {
      message: `${(err as Error).message}, after ${counted(this.count, this.#unit)}. ${this.#hint()}`,
      exitCode: EXIT.stopped,
    })
  }

  #part(): number | undefined {
    if (this.#total === undefined) return undefined
    const part = this.#total === 0 ? 1 : Math.min(1, (this.#place.pages * SCAN_COUNT) / this.#total)
    return (this.#round - 1 + part) / this.#rounds
  }
}

/** Counts all keys of the database at all masters; undefined if the user may not run INFO. */
async function countKeys({ context }: Opened): Promise<number | undefined> {
  try {
    const all = await Promise.all(context.options.client.masters().map((server) => server.ask('info', 'keyspace')))
    // Only the database of this connection counts, but a session store seldom shares its server.
    const counts = all.flatMap((text) => Object.values(fieldsOf(String(text))))
    return counts.reduce((sum, text) => sum + Number(/keys=(\d+)/.exec(text)?.[1] ?? 0), 0)
  } catch {
    return undefined
  }
}

function parseSaved<Data>(text: string, of: string): Saved<Data> {
  let saved: Partial<Saved<Data>> | null
  try {
    saved = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<Saved<Data>> | null
  } catch {
    saved = null
  }
  const { version, place, round, count, data } = saved ?? {}
  if (
    version !== 1 ||
    !isPlace(place) ||
    typeof round !== 'number' ||
    typeof count !== 'number' ||
    data === undefined
  ) {
    throw new CommandError('--resume takes what a stopped call has printed, and this is something else.')
  }
  if (saved?.of !== of) {
    throw new CommandError('--resume: the stopped call was another command, or had another prefix or selection.')
  }
  return saved as Saved<Data>
}

function isPlace(place: Partial<SavedPlace> | undefined): place is SavedPlace {
  const { servers, slots, pages } = place ?? {}
  const isServer = (one: unknown) => Array.isArray(one) && /^(\d+|-)$/.test(String(one[1]))
  return Array.isArray(servers) && servers.every(isServer) && Array.isArray(slots) && typeof pages === 'number'
}
