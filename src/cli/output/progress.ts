import type { Io } from '../io.js'
import { counted, grouped, span } from './times.js'

const DRAW_MS = 150
/** A walk that is over sooner needs no bar. */
const QUIET_MS = 400
const BAR = 20
/** Part of the walk after which an estimate is worth something. */
const MIN_PART = 0.01

export interface Advance {
  /** Part of the walk that is done, 0 to 1; undefined if that is unknown. */
  part: number | undefined
  count: number
}

/** A bar with a rate and an estimate on the terminal that shows errors; nothing if there is none. */
export class Progress {
  readonly #io: Io
  readonly #unit: string
  readonly #now: () => Advance
  readonly #begun = performance.now()
  readonly #first: Advance
  readonly #timer: NodeJS.Timeout | undefined
  #isDrawn = false

  /** @param unit what is counted, e.g. `session` */
  constructor(io: Io, unit: string, now: () => Advance) {
    this.#io = io
    this.#unit = unit
    this.#now = now
    this.#first = now()
    if (io.isWatched) this.#timer = setInterval(() => this.#draw(), DRAW_MS).unref()
  }

  /** Removes the bar. */
  end(): void {
    clearInterval(this.#timer)
    if (this.#isDrawn) this.#io.err('\r\x1b[K')
    this.#isDrawn = false
  }

  #draw(): void {
    const elapsed = performance.now() - this.#begun
    if (elapsed < QUIET_MS) return
    this.#isDrawn = true
    this.#io.err(`\r\x1b[K${lineOf(this.#unit, this.#first, this.#now(), elapsed).slice(0, this.#io.columns - 1)}`)
  }
}

/**
 * @param first how far the walk was when it began: it may go on from an earlier one
 * @param elapsed milliseconds since then
 */
export function lineOf(unit: string, first: Advance, { part, count }: Advance, elapsed: number): string {
  const rate = ((count - first.count) * 1000) / elapsed
  const said = `${counted(count, unit)}  ${grouped(rate)}/s`
  if (part === undefined) return said
  const full = Math.round(Math.min(part, 1) * BAR)
  const bar = `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}] ${String(Math.floor(Math.min(part, 1) * 100)).padStart(3)} %`
  const done = part - (first.part ?? 0)
  const left = done < MIN_PART || part >= 1 ? '' : `  about ${span((elapsed * (1 - part)) / done)} left`
  return `${bar}  ${said}${left}`
}
