import { SessionStoreError } from '../errors.js'
import type { SessionCodec } from '../hash/codec.js'
import { fieldOf, propertyOf } from '../hash/field-name.js'
import { handleOf } from '../ids/handle.js'
import { assertGoingOn, type Context, type Merger, type SaveReply, type SendDelta } from '../session/context.js'
import { type Delta, fieldsOf } from '../session/delta.js'
import type { Line } from '../session/session-queue.js'
import type { SessionRecord } from '../session/session-record.js'
import { UNKNOWN } from '../session/update-fields.js'
import { Doubts } from './doubts.js'
import { type MergedText, mergeTexts } from './merge-texts.js'
import { MergeRules } from './rules.js'

/** How often others may save before we give up. Each lost race means that another request has saved. */
const ATTEMPTS = 100

/** What a save sends, made from what the request wants to write and what others have written. */
interface Draft {
  delta: Delta
  /** Save counter with which it has to be written. */
  saves: string
  /** Each path begins with the property. */
  conflicts: readonly string[][]
  /** What others have written: stored texts; null: no such field. undefined if others have written nothing. */
  held: ReadonlyMap<string, string | null> | undefined
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
  readonly #doubts = new Doubts()

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

  startsFrom(record: SessionRecord, earliest: SessionRecord): void {
    this.#doubts.startsFrom(record, earliest)
    this.#behind.add(record)
  }

  async write<Reply extends SaveReply>(
    context: Context,
    record: SessionRecord,
    delta: Delta,
    saves: string,
    send: SendDelta<Reply>,
  ): Promise<Reply> {
    if (!fieldsOf(delta).some((field) => this.covers(field))) return send(delta, saves, false)
    const seen = this.#behind.has(record) ? UNKNOWN : saves
    return context.queue.take(record.storedId, async (line) => {
      const start = await this.#first(context, record, delta, seen, line)
      return this.#write(context, record, delta, start, send, line)
    })
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

  /** @param start what to send first */
  async #write<Reply extends SaveReply>(
    context: Context,
    record: SessionRecord,
    delta: Delta,
    start: Draft,
    send: SendDelta<Reply>,
    line: Line,
  ): Promise<Reply> {
    let draft = start
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      assertGoingOn(context)
      const { losses } = context.gateway
      const doubt = this.#doubts.add(record, draft.delta, delta)
      const reply = await send(draft.delta, draft.saves, true)
      if (reply.kind === 'written' || reply.kind === 'contended') {
        this.#doubts.settle(record)
        announce(context, record, draft.conflicts)
        line.last = line.length > 1 ? { saves: reply.meta.saves, held: storedTexts(context, record, draft) } : undefined
        const { held } = draft
        if (held === undefined) return reply
        return { ...reply, kind: 'contended' as const, old: fieldsOf(delta).map((field) => held.get(field) ?? null) }
      }
      // Nothing was written. After a lost connection, the client may have sent the command twice, and its first copy may
      // have been written.
      if (context.gateway.losses === losses) this.#doubts.dismiss(record, doubt)
      if (reply.kind !== 'outdated') return reply
      const held = new Map(fieldsOf(draft.delta).map((field, i) => [field, reply.old[i] ?? null]))
      draft = await this.#draft(context, record, delta, reply.meta.saves, held)
    }
    throw new SessionStoreError('ERR_SESSION_CONFLICT', `a session changed ${ATTEMPTS} times while it was being merged`)
  }

  /** Merges at once if a write of this process has just shown what Redis holds. */
  #first(context: Context, record: SessionRecord, delta: Delta, saves: string, { last }: Line): Draft | Promise<Draft> {
    if (last === undefined || saves === last.saves || !fieldsOf(delta).every((field) => last.held.has(field))) {
      return { delta, saves, conflicts: [], held: undefined }
    }
    return this.#draft(context, record, delta, last.saves, last.held)
  }

  /**
   * Merges the changes of this request into what Redis holds.
   *
   * @param saves save counter of what Redis holds
   * @param held stored texts; null: no such field
   */
  async #draft(
    context: Context,
    record: SessionRecord,
    delta: Delta,
    saves: string,
    held: ReadonlyMap<string, string | null>,
  ): Promise<Draft> {
    const codec = context.codec.of(record.storedId)
    const draft = { delta: { set: [], remove: [] } as Delta, saves, conflicts: [] as string[][], held }
    const texts = new Map(delta.set)
    for (const field of fieldsOf(delta)) {
      const mine = texts.get(field)
      const { text, conflicts } = this.covers(field)
        ? await this.#mergeStored(context, record, field, decoded(codec, field, held.get(field) ?? null), mine)
        : { text: mine, conflicts: [] }
      draft.conflicts.push(...withProperty(propertyOf(field) as string, conflicts))
      if (text === undefined) draft.delta.remove.push(field)
      else draft.delta.set.push([field, text])
    }
    return draft
  }

  #mergeStored(
    context: Context,
    record: SessionRecord,
    field: string,
    theirs: string | undefined | typeof UNREADABLE,
    mine: string | undefined,
  ): Pick<MergedText, 'text' | 'conflicts'> | Promise<Pick<MergedText, 'text' | 'conflicts'>> {
    return theirs === UNREADABLE ? { text: mine, conflicts: [[]] } : this.#merge(context, record, field, theirs, mine)
  }

  async #merge(
    { options }: Context,
    record: SessionRecord,
    field: string,
    theirs: string | undefined,
    mine: string | undefined,
  ): Promise<MergedText> {
    const property = propertyOf(field) as string
    const rule = this.#rules.of(property) ?? true
    const base = this.#doubts.baseOf(record, field, theirs)
    // Merged twice, objects stay as they are. A function may count one change twice.
    if (base.isUnsure && rule !== true) throw unsure(property)
    return mergeTexts(options.serializer, property, rule, { base: base.text, theirs, mine })
  }
}

function unsure(property: string): SessionStoreError {
  return new SessionStoreError(
    'ERR_SESSION_UNAVAILABLE',
    `the connection was lost while session property ${JSON.stringify(property)} was saved, and others have saved since: ` +
      'whether this change is in it cannot be told; load the session again',
  )
}

function storedTexts({ codec }: Context, { storedId }: SessionRecord, { delta }: Draft): Map<string, string | null> {
  const { encode } = codec.of(storedId)
  const removed = delta.remove.map((field) => [field, null] as const)
  return new Map<string, string | null>([...delta.set.map(([f, text]) => [f, encode(f, text)] as const), ...removed])
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
