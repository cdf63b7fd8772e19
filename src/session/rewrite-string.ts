import { SessionStoreError } from '../errors.js'
import { propertyOf } from '../hash/field-name.js'
import { entriesIn } from '../hash/index-fields.js'
import type { Foreign, Gone } from '../redis/scripts/session-reply.js'
import { WRITE_STRING, type WriteStringReply } from '../redis/scripts/write-string.js'
import { announceConflict } from './announce-conflict.js'
import type { Context } from './context.js'
import { leaseOf, merge } from './convert-string.js'
import { applyDelta, type Delta, doubtDelta, fieldsOf, withoutCookie } from './delta.js'
import { fromString, NO_STRING, sha1Of } from './load.js'
import type { SessionRecord } from './session-record.js'
import { bytesOf, tooLarge } from './size.js'
import type { Snapshot } from './snapshot.js'
import { stringTextOf } from './string-text.js'
import { writeIndexed } from './write-indexed.js'
import { foreignKey } from './write-reply.js'

/** How often others may write the string before this save gives up. Each lost race means that another one has saved. */
const ATTEMPTS = 100

/** `hash`: another server, which has another `convert`, has made a hash of it. `changed`: with `isStrict` only. */
export type Rewritten = 'written' | 'gone' | 'hash' | 'changed'

interface Manner {
  /** Whether the session is not used now, and keeps its time to live. */
  keepsTtl?: boolean
  /** Whether to write nothing if others have written since the load. */
  isStrict?: boolean
}

/**
 * Saves a session that was loaded from connect-redis's string, as a string again (`convert: 'never'`). If another server
 * wrote meanwhile, merges its changes first: of two servers with this store, none loses a change.
 */
export async function rewriteString(
  context: Context,
  record: SessionRecord,
  sha1: string,
  next: Snapshot,
  wholeDelta: Delta,
  { keepsTtl = false, isStrict = false }: Manner = {},
): Promise<Rewritten> {
  const delta = next.isAsInString ? withoutCookie(wholeDelta) : wholeDelta
  const doubted = new Set(record.uncertain)
  const string = new StringInRedis(context, record, next, sha1, keepsTtl)
  const reply = isStrict
    ? await string.write(delta, sha1, true)
    : await writeInTurn(context, record, delta, sha1, string)
  if (reply.kind === 'gone') return 'gone'
  if (reply.kind === 'foreign') return 'hash'
  if (reply.kind === 'outdated') return 'changed'
  if (reply.isEnded) record.hasEnded = true
  const isContended = reply.kind === 'contended'
  if (isContended) announceConflict(context, record, doubted, delta, reply.old)
  // What others have added is not in the session of this request, so that its next save must not replace the string.
  record.origin = { kind: 'string', sha1: isContended ? NO_STRING : reply.meta.saves }
  applyDelta(record, delta)
  context.announcer.announceOf(record.storedId, 'saved', { fields: delta.set.length + delta.remove.length })
  return 'written'
}

/** Lets the saves of this process wait for each other, and merges the properties that the `merge` option names. */
function writeInTurn(
  context: Context,
  record: SessionRecord,
  delta: Delta,
  sha1: string,
  string: StringInRedis,
): Promise<StringReply> {
  const { merger, queue } = context
  // The merger lets strict writes wait for each other itself.
  const write = (changes: Delta, seen: string, isStrict: boolean) =>
    isStrict ? string.write(changes, seen, true) : queue.take(record.storedId, () => string.write(changes, seen, false))
  return merger === undefined ? write(delta, sha1, false) : merger.write(context, record, delta, sha1, write)
}

/** `saves`: digest of the string. `old`: texts of the fields to set, then of those to remove; null: there was none. */
type StringReply = { isEnded?: boolean } & (
  | { kind: 'written'; meta: { saves: string } }
  | { kind: 'contended' | 'outdated'; meta: { saves: string }; old: (string | null)[] }
  | Gone
  | Foreign
)

/** A session that stays a string. Knows what the string was when it was last read. */
class StringInRedis {
  readonly #context: Context
  readonly #record: SessionRecord
  readonly #keepsTtl: boolean
  /** What is to be written if nobody has written since. */
  #next: Snapshot
  #sha1: string
  /** Undefined until the string is read again. */
  #held: ReadonlyMap<string, string> | undefined

  constructor(context: Context, record: SessionRecord, next: Snapshot, sha1: string, keepsTtl: boolean) {
    this.#context = context
    this.#record = record
    this.#next = next
    this.#sha1 = sha1
    this.#keepsTtl = keepsTtl
  }

  /**
   * @param seen digest of the string into which the changes belong
   * @param isStrict whether to write nothing if the string is another one by now
   */
  async write(changes: Delta, seen: string, isStrict: boolean): Promise<StringReply> {
    doubtDelta(this.#record, changes)
    let isContended = this.#held !== undefined
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const sha1 = attempt === 0 ? seen : this.#sha1
      // Another save of this process may have told the merger of a string that was never read here.
      const text = sha1 === this.#sha1 ? await this.#textWith(changes) : undefined
      const reply = await this.#send(text === undefined ? [NO_STRING, ''] : [sha1, text])
      if (reply.kind === 'written') {
        const { isEnded = false } = reply
        const meta = { saves: sha1Of(text as string) }
        return isContended
          ? { kind: 'contended', meta, old: this.#oldOf(changes), isEnded }
          : { kind: 'written', meta, isEnded }
      }
      if (reply.kind !== 'string') return reply
      await this.#sees(reply.text)
      if (isStrict) return { kind: 'outdated', meta: { saves: this.#sha1 }, old: this.#oldOf(changes) }
      isContended = true
    }
    throw new SessionStoreError(
      'ERR_SESSION_CONFLICT',
      `a session that stays a string changed ${ATTEMPTS} times while it was being saved`,
    )
  }

  async #textWith(changes: Delta): Promise<string> {
    const next = { ...this.#next, fields: merge(this.#next.fields, changes) }
    assertGrowth(this.#context, this.#held ?? this.#record.fields, next)
    this.#next = next
    const { text } = await stringTextOf(this.#context, next)
    return text
  }

  #send(written: readonly [sha1: string, text: string]): Promise<WriteStringReply & { isEnded?: boolean }> {
    const { gateway, keys } = this.#context
    const { storedId } = this.#record
    const { fields, idle } = this.#next
    const placing = { held: [], next: entriesIn(fields), idleMs: idle, slides: true, createdAtMs: undefined }
    const args = [...written, ttlOf(this.#context, this.#next, this.#keepsTtl)]
    return writeIndexed(this.#context, storedId, placing, () =>
      gateway.script(WRITE_STRING, keys.session(storedId), args),
    )
  }

  async #sees(text: string): Promise<void> {
    const current = await fromString(this.#context, this.#record.storedId, text)
    if (current === null) throw foreignKey()
    const { fields } = current.record
    // This request has not changed the cookie, so the one that was written is the current one.
    const kept = this.#next.isAsInString ? leaseOf(this.#context, current) : {}
    this.#next = { ...this.#next, ...kept, fields: [...fields] }
    this.#sha1 = sha1Of(text)
    this.#held = fields
  }

  #oldOf(changes: Delta): (string | null)[] {
    return fieldsOf(changes).map((field) => this.#held?.get(field) ?? null)
  }
}

function ttlOf({ options }: Context, { idle }: Snapshot, keepsTtl: boolean): number | string {
  if (keepsTtl) return 'keep'
  return options.disableTTL ? '' : idle
}

/** @throws ERR_SESSION_TOO_LARGE if the session would grow, and be larger than allowed */
function assertGrowth({ options }: Context, held: ReadonlyMap<string, string>, { fields }: Snapshot): void {
  const bytes = bytesOf([...fields].filter(([field]) => propertyOf(field) !== undefined))
  if (bytes > options.maxBytes && bytes > bytesOf(held)) throw tooLarge(bytes, options.maxBytes)
}
