import type { Delta } from '../session/delta.js'
import type { SessionRecord } from '../session/session-record.js'

/** Texts by field; undefined: the field is removed. */
type Texts = ReadonlyMap<string, string | undefined>

/** A write whose result is unknown: what was sent, and what the request itself wanted to write. */
export interface Doubt {
  sent: Texts
  mine: Texts
}

/** What a change has to be compared with. `isUnsure`: an earlier write of this change may or may not be in it. */
export interface Base {
  text: string | undefined
  isUnsure: boolean
}

/**
 * Remembers what is sent until its result is known. If Redis holds it later, it was written by this request, and not by
 * others.
 */
export class Doubts {
  readonly #all = new WeakMap<SessionRecord, Set<Doubt>>()
  readonly #earliest = new WeakMap<SessionRecord, SessionRecord>()

  /** A session was copied from one of several loads, and this is the first of them. */
  startsFrom(record: SessionRecord, earliest: SessionRecord): void {
    this.#earliest.set(record, earliest)
  }

  add(record: SessionRecord, sent: Delta, mine: Delta): Doubt {
    const doubt: Doubt = { sent: textsOf(sent), mine: textsOf(mine) }
    const doubts = this.#all.get(record) ?? new Set()
    this.#all.set(record, doubts.add(doubt))
    return doubt
  }

  /** This write is known not to have happened. */
  dismiss(record: SessionRecord, doubt: Doubt): void {
    this.#all.get(record)?.delete(doubt)
  }

  /** A later write has happened. */
  settle(record: SessionRecord): void {
    this.#all.delete(record)
    this.#earliest.delete(record)
  }

  /** Returns what a change of this request has to be compared with, if Redis holds `theirs` now. */
  baseOf(record: SessionRecord, field: string, theirs: string | undefined): Base {
    const doubts = [...(this.#all.get(record) ?? [])].filter(({ sent }) => sent.has(field))
    const ours = doubts.find(({ sent }) => sent.get(field) === theirs)
    if (ours !== undefined) return { text: ours.mine.get(field), isUnsure: false }
    const text = (this.#earliest.get(record)?.atLoad ?? record.fields).get(field)
    return { text, isUnsure: doubts.length > 0 && theirs !== text }
  }
}

function textsOf({ set, remove }: Delta): Texts {
  return new Map<string, string | undefined>([...set, ...remove.map((field) => [field, undefined] as const)])
}
