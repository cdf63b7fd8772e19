import { SessionStoreError } from '../errors.js'
import type { SessionCodec } from '../hash/codec.js'
import { fieldOf, propertyOf } from '../hash/field-name.js'
import { handleOf } from '../ids/handle.js'
import { assertGoingOn, type Context, type Merger, type SendDelta } from '../session/context.js'
import { type Delta, fieldsOf } from '../session/delta.js'
import type { SessionRecord } from '../session/session-record.js'
import { UNKNOWN } from '../session/update-fields.js'
import type { WriteReply } from '../session/write-reply.js'
import { type MergedText, mergeTexts } from './merge-texts.js'
import { MergeRules } from './rules.js'

/** How often others may save before we give up. Each lost race means that another request has saved. */
const ATTEMPTS = 100

/** Texts by field; undefined: the field is removed. */
type Texts = ReadonlyMap<string, string | undefined>

/** A write whose result is unknown: what was sent, and what the request itself wanted to write. */
interface Doubt {
  sent: Texts
  mine: Texts
}

/** What a save writes, made from what the request wants to write and what others have written. */
interface MergedDelta {
  delta: Delta
  /** Each path begins with the property. */
  conflicts: string[][]
}

/**
 * Merges what two requests have done to one property. The save is sent with the save counter as the request knows it.
 * If others have saved since, the script writes nothing and returns what Redis holds. The request's change is merged
 * into that, and sent with the new counter.
 *
 * The record of the session keeps what the request itself has written, not the merged text: the application goes on
 * with its own session object, and its next change has to be compared with that. Therefore such a record is `behind`:
 * its next save must not trust the save counter.
 */
export class PropertyMerger implements Merger {
  readonly #rules: MergeRules
  readonly #behind = new WeakSet<SessionRecord>()
  readonly #doubts = new WeakMap<SessionRecord, Set<Doubt>>()

  /** @throws TypeError if the option names a property that an index reads */
  constructor({ options: { merge, indexes } }: Pick<Context, 'options'>) {
    this.#rules = new MergeRules(merge as NonNullable<typeof merge>)
    for (const [name, extract] of indexes) this.leaveOut(`the index "${name}"`, extract)
  }

  leaveOut(who: string, reads: (session: never) => unknown): void {
    this.#rules.leaveOut(who, reads)
  }

  covers(field: string): boolean {
    const property = propertyOf(field)
    return property !== undefined && this.#rules.of(property) !== undefined
  }

  followed(record: SessionRecord, saves: string, now: string): void {
    if (saves !== now) this.#behind.add(record)
  }

  async write(
    context: Context,
    record: SessionRecord,
    delta: Delta,
    saves: string,
    send: SendDelta,
  ): Promise<WriteReply> {
    if (!fieldsOf(delta).some((field) => this.covers(field))) return send(delta, saves, false)
    const seen = this.#behind.has(record) ? UNKNOWN : saves
    return context.queue.take(record.storedId, () => this.#write(context, record, delta, seen, send))
  }

  async mergeLate(
    context: Context,
    record: SessionRecord,
    property: string,
    theirs: string | undefined,
    mine: string | undefined,
  ): Promise<unknown> {
    const { value, conflicts } = await this.#merge(context, record, fieldOf(property), theirs, mine)
    announce(context, record, withProperty(property, conflicts))
    return value
  }

  async #write(context: Context, record: SessionRecord, delta: Delta, saves: string, send: SendDelta) {
    const codec = context.codec.of(record.storedId)
    let merged: MergedDelta = { delta, conflicts: [] }
    let held: Map<string, string | null> | undefined
    let seen = saves
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      assertGoingOn(context)
      const { losses } = context.gateway
      const doubt = this.#doubt(record, merged.delta, delta)
      const reply = await send(merged.delta, seen, true)
      if (reply.kind === 'written' || reply.kind === 'contended') {
        this.#doubts.delete(record)
        announce(context, record, merged.conflicts)
        if (held === undefined) return reply
        return { ...reply, kind: 'contended' as const, old: fieldsOf(delta).map((field) => held?.get(field) ?? null) }
      }
      if (reply.kind !== 'outdated') return reply
      // After a lost connection, the client may have sent the command twice, and its first copy may have been written.
      if (context.gateway.losses === losses) this.#doubts.get(record)?.delete(doubt)
      held = new Map(fieldsOf(merged.delta).map((field, i) => [field, reply.old[i] ?? null]))
      merged = await this.#mergeDelta(context, record, codec, delta, held)
      seen = reply.meta.saves
    }
    throw new SessionStoreError('ERR_SESSION_CONFLICT', `a session changed ${ATTEMPTS} times while it was being merged`)
  }

  async #mergeDelta(
    context: Context,
    record: SessionRecord,
    codec: SessionCodec,
    delta: Delta,
    held: ReadonlyMap<string, string | null>,
  ): Promise<MergedDelta> {
    const mine = new Map(delta.set)
    const merged: MergedDelta = { delta: { set: [], remove: [] }, conflicts: [] }
    for (const field of fieldsOf(delta)) {
      let text = mine.get(field)
      if (this.covers(field)) {
        const theirs = decoded(codec, field, held.get(field) ?? null)
        const result =
          theirs === UNREADABLE ? { text, conflicts: [[]] } : await this.#merge(context, record, field, theirs, text)
        text = result.text
        merged.conflicts.push(...withProperty(propertyOf(field) as string, result.conflicts))
      }
      if (text === undefined) merged.delta.remove.push(field)
      else merged.delta.set.push([field, text])
    }
    return merged
  }

  #merge(
    { options }: Context,
    record: SessionRecord,
    field: string,
    theirs: string | undefined,
    mine: string | undefined,
  ): Promise<MergedText> {
    const property = propertyOf(field) as string
    const rule = this.#rules.of(property) ?? true
    const base = this.#baseOf(record, field, theirs)
    return mergeTexts(options.serializer, property, rule, { base, theirs, mine })
  }

  /** Remembers what is sent: if Redis holds it later, it was written by this request, and not by others. */
  #doubt(record: SessionRecord, sent: Delta, mine: Delta): Doubt {
    const doubt: Doubt = { sent: textsOf(sent), mine: textsOf(mine) }
    const doubts = this.#doubts.get(record) ?? new Set()
    this.#doubts.set(record, doubts.add(doubt))
    return doubt
  }

  /** Returns what a change of this request has to be compared with, if Redis holds `theirs` now. */
  #baseOf(record: SessionRecord, field: string, theirs: string | undefined): string | undefined {
    for (const { sent, mine } of this.#doubts.get(record) ?? []) {
      if (sent.has(field) && sent.get(field) === theirs) return mine.get(field)
    }
    return record.fields.get(field)
  }
}

function textsOf({ set, remove }: Delta): Texts {
  return new Map<string, string | undefined>([...set, ...remove.map((field) => [field, undefined] as const)])
}

const UNREADABLE = Symbol('unreadable')

function decoded(codec: SessionCodec, field: string, stored: string | null): string | undefined | typeof UNREADABLE {
  if (stored === null) return undefined
  try {
    return codec.decode(field, stored).text
  } catch {
    return UNREADABLE
  }
}

function withProperty(property: string, paths: readonly (readonly string[])[]): string[][] {
  return paths.map((path) => [property, ...path])
}

function announce({ announcer }: Context, { storedId }: SessionRecord, paths: readonly string[][]): void {
  for (const path of paths) {
    announcer.announce('conflict', { handle: handleOf(storedId), properties: [path[0] as string], path })
  }
}
