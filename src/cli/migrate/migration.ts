import { BOOKKEEPING_FIELD, type Bookkeeping, parseBookkeeping, RENEWAL_FIELD } from '../../hash/bookkeeping.js'
import { CorruptHash, decodeHash, type LoadedSession } from '../../hash/decode.js'
import { pairsOf } from '../../hash/fields.js'
import { entriesIn, indexFields } from '../../hash/index-fields.js'
import { idMapper, isDigest } from '../../ids/id-mapper.js'
import { scheduleExpiry } from '../../on-end/queue.js'
import { Keys } from '../../redis/keys.js'
import { PACK } from '../../redis/scripts/move.js'
import { RESTORE_STRING } from '../../redis/scripts/restore-string.js'
import { UPDATE } from '../../redis/scripts/update.js'
import type { Context } from '../../session/context.js'
import { convertInPlace } from '../../session/convert-in-place.js'
import { enter } from '../../session/index-entries.js'
import { hasArrived } from '../../session/leftovers.js'
import { fromString, isAbsent } from '../../session/load.js'
import { bringHome } from '../../session/move.js'
import { readHash } from '../../session/read-hash.js'
import { changedOf, reindex } from '../../session/write-indexed.js'
import { LeaveToApplication } from '../target/leave-to-application.js'
import type { Opened } from '../target/open-store.js'
import { type Form, storedIdIn } from './form.js'
import { moveToPrefix } from './move-to-prefix.js'

/** Why a session stays as it is. */
export type Obstacle = 'unreadable' | 'encrypted' | 'renewed' | 'index' | 'busy'

/**
 * What has become of a key: `migrated`; `as-wanted`: it was so before; `hashed`: it was so before, as far as can be told
 * from an id that looks like a digest; `none`: there is no session, or it has been counted under another id.
 */
export type Outcome = 'migrated' | 'as-wanted' | 'hashed' | 'none' | Obstacle

/** How often connect-redis may turn a session back into a string meanwhile. */
const ATTEMPTS = 5

/** What encryption makes of a text; no JSON begins like this. */
const ENCRYPTED = /^~[\w-]{44,}$/

type Seen =
  | { kind: 'none' }
  | { kind: 'unreadable' }
  | { kind: 'string'; text: string }
  | { kind: 'hash'; meta: Bookkeeping; reply: readonly string[] }

/** Brings sessions into their new form, each at one moment, and only if nobody has changed it since it was read. */
export class Migration {
  readonly #form: Form
  /** The sessions as they are; their index entries are those of `--index`. */
  readonly #context: Context
  /** Moves sessions with all their index entries, whatever the application calls them. */
  readonly #moving: Context
  readonly #target: Context
  readonly #beganS: number
  #expectsString = false

  /**
   * @param about.beganS when the walk began, seconds since 1970 by Redis's clock
   * @param about.hasOnEnd whether the application has the option `onEnd`
   */
  constructor({ context }: Opened, form: Form, { beganS, hasOnEnd }: { beganS: number; hasOnEnd: boolean }) {
    const ids = idMapper(form.hashIds)
    this.#form = form
    this.#context = { ...context, ids, options: { ...context.options, indexes: form.indexes } }
    this.#moving = { ...this.#context, endOfLife: hasOnEnd ? new Expectations(context) : undefined }
    // No index has this name. With none at all, the entries of a session would not be restored after its move.
    this.#moving.options = { ...context.options, indexes: [['-', () => undefined]] }
    const { newPrefix = context.keys.prefix } = form
    const keys = new Keys(newPrefix)
    this.#target = { ...this.#moving, keys }
    if (hasOnEnd) this.#target.endOfLife = new Expectations(this.#target)
    this.#beganS = beganS
  }

  /** Whether a session with this stored id has to get another key. */
  #moves(storedId: string): boolean {
    return this.#form.newPrefix !== undefined || storedIdIn(this.#form, storedId) !== storedId
  }

  /** @param isDry only tells what would become of it; then `migrated` means that it would be */
  async run(storedId: string, isDry: boolean): Promise<Outcome> {
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const outcome = await this.#attempt(storedId, isDry)
        if (outcome !== 'again') return outcome
      }
      return 'busy'
    } catch (err) {
      const { code } = err as { code?: string }
      if (code === 'ERR_SESSION_INVALID_INDEX') return 'index'
      if (code === 'ERR_SESSION_CONFLICT' || code === 'ERR_SESSION_FOREIGN_KEY') return 'busy'
      throw err
    }
  }

  async #attempt(storedId: string, isDry: boolean): Promise<Outcome | 'again'> {
    const seen = await this.#look(storedId, isDry)
    if (seen.kind === 'none' || seen.kind === 'unreadable') return seen.kind
    if (seen.kind === 'string') return this.#fromString(storedId, seen.text, isDry)
    const obstacle = this.#obstacle(storedId, seen.reply)
    if (obstacle !== undefined) return obstacle
    return this.#form.to === 'hash'
      ? this.#fromHash(storedId, seen.reply, isDry)
      : this.#toString(storedId, seen.reply, isDry)
  }

  /** Reads a key, first with the command that fits the key before. */
  async #look(storedId: string, isDry: boolean): Promise<Seen> {
    const { gateway, keys } = this.#context
    const key = keys.session(storedId)
    if (this.#expectsString) {
      const text = await gateway.get(key)
      if (text !== undefined) return text === null ? { kind: 'none' } : { kind: 'string', text }
    }
    const reply = await readHash(this.#context, storedId)
    this.#expectsString = reply === null
    if (reply !== null) return this.#hashIn(storedId, reply, isDry)
    const text = await gateway.get(key)
    return text == null ? { kind: text === null ? 'none' : 'unreadable' } : { kind: 'string', text }
  }

  async #hashIn(storedId: string, reply: readonly string[], isDry: boolean): Promise<Seen> {
    if (reply.length === 0) return { kind: 'none' }
    const fields = new Map(pairsOf(reply))
    const meta = parseBookkeeping(fields.get(BOOKKEEPING_FIELD))
    if (meta === null) return { kind: 'unreadable' }
    if (meta.hasMoved && this.#form.newPrefix !== undefined && !isDry) await this.#move(storedId)
    if (meta.isArriving && (await hasArrived(this.#moving, storedId)) && !isDry) return this.#look(storedId, true)
    if (isAbsent(this.#context, meta)) return { kind: 'none' }
    // This walk has met the session already, under the id that it had before.
    const hasJustMoved = this.#form.hashIds !== false && Number(fields.get('@moved')) >= this.#beganS
    return hasJustMoved && isDigest(storedId) ? { kind: 'none' } : { kind: 'hash', meta, reply }
  }

  /** Finds out why a hash cannot be migrated, before anything of it is. */
  #obstacle(storedId: string, reply: readonly string[]): Obstacle | undefined {
    const { to, indexes, encryption } = this.#form
    const codec = this.#context.codec.of(storedId)
    const isBound = encryption !== undefined || to === 'connect-redis' || storedIdIn(this.#form, storedId) !== storedId
    if (to === 'connect-redis' && reply.includes(RENEWAL_FIELD)) return 'renewed'
    if (!isBound && indexes.length === 0) return undefined
    for (const [field, stored] of pairsOf(reply)) {
      try {
        if (ENCRYPTED.test(codec.decode(field, stored).text)) return 'encrypted'
      } catch {
        return 'encrypted'
      }
    }
    return undefined
  }

  async #fromString(storedId: string, text: string, isDry: boolean): Promise<Outcome | 'again'> {
    if (this.#form.to === 'connect-redis') return 'as-wanted'
    const loaded = await fromString(this.#context, storedId, text)
    const cookie: unknown = loaded?.session.cookie
    // Without a cookie it is no session, or one of another serializer.
    if (loaded === null || typeof cookie !== 'object' || cookie === null) return 'unreadable'
    if (isDry) return 'migrated'
    const isIdleKnown = typeof loaded.session.cookie?.originalMaxAge === 'number'
    const kept = { isIdleKnown, mayBeEndless: true, leftMs: await this.#leftMs(storedId) }
    if (!(await convertInPlace(this.#context, loaded, kept))) return 'none'
    if (!this.#moves(storedId)) return 'migrated'
    const outcome = await this.#move(storedId)
    return outcome === 'none' ? 'migrated' : outcome
  }

  /** For the index only, so it need not be known otherwise. */
  async #leftMs(storedId: string): Promise<number | undefined> {
    const { gateway, keys } = this.#context
    if (this.#form.indexes.length === 0) return undefined
    const left = await gateway.pttl(keys.session(storedId))
    return left > 0 ? left : undefined
  }

  async #fromHash(storedId: string, reply: readonly string[], isDry: boolean): Promise<Outcome | 'again'> {
    const moves = this.#moves(storedId)
    const outdated = this.#outdated(storedId, reply)
    const index = await this.#indexState(storedId, reply)
    if (index === 'unreadable') return index
    const isDue = moves || outdated.length > 0 || index === 'missing'
    if (isDry || !isDue) return isDue ? 'migrated' : await this.#asWanted(storedId, reply, isDry)
    if (index === 'missing') await reindex(this.#context, storedId)
    if (moves) return this.#move(storedId)
    if (outdated.length > 0 && !(await this.#reencrypt(storedId, outdated))) return 'none'
    return 'migrated'
  }

  async #asWanted(storedId: string, reply: readonly string[], isDry: boolean): Promise<Outcome> {
    const { indexes, hashIds } = this.#form
    const meta = parseBookkeeping(new Map(pairsOf(reply)).get(BOOKKEEPING_FIELD))
    // Redis may have evicted the index.
    if (indexes.length > 0 && meta !== null && !isDry) {
      const leftMs = await this.#leftMs(storedId)
      const wanted = entriesIn(pairsOf(reply)).filter(({ name }) => indexes.some(([known]) => known === name))
      await enter(this.#context, storedId, wanted, leftMs ?? meta.idleMs)
    }
    return hashIds === false ? 'as-wanted' : 'hashed'
  }

  /** Selects the fields that are to be encrypted anew, or decrypted. */
  #outdated(storedId: string, reply: readonly string[]): [field: string, stored: string, next: string][] {
    if (this.#form.encryption === undefined) return []
    const codec = this.#context.codec.of(storedId)
    return pairsOf(reply).flatMap(([field, stored]) => {
      const { text, isOutdated } = codec.decode(field, stored)
      return isOutdated ? [[field, stored, codec.encode(field, text)]] : []
    })
  }

  /** Whether the index fields are as the options want them. */
  async #indexState(storedId: string, reply: readonly string[]): Promise<'there' | 'missing' | 'unreadable'> {
    if (this.#form.indexes.length === 0) return 'there'
    const decoded = await this.#decoded(storedId, reply)
    if (decoded === undefined) return 'unreadable'
    const held = new Map(pairsOf(reply))
    const wanted = indexFields(this.#form.indexes, decoded, held)
    return changedOf(wanted, held).length > 0 ? 'missing' : 'there'
  }

  async #decoded(storedId: string, reply: readonly string[]): Promise<LoadedSession | undefined> {
    const decoded = await decodeHash(reply, JSON, this.#context.codec.of(storedId))
    return decoded instanceof CorruptHash ? undefined : decoded.session
  }

  /** Replaces texts that are still the ones that were read. Counts as no save, and prolongs nothing. */
  async #reencrypt(storedId: string, outdated: readonly (readonly [string, string, string])[]): Promise<boolean> {
    const { gateway, keys, options } = this.#context
    const head = ['', '', 0, '', '', '', '', options.maxBytes, '', 0, outdated.length]
    const reply = await gateway.script(UPDATE, keys.session(storedId), [...head, ...outdated.flat()])
    return reply.kind === 'written'
  }

  async #move(storedId: string): Promise<Outcome | 'again'> {
    const to = storedIdIn(this.#form, storedId)
    const found =
      this.#form.newPrefix === undefined
        ? await bringHome(this.#moving, storedId, to, { isOneWay: true })
        : await moveToPrefix(this.#moving, this.#target, storedId, to)
    const outcomes = { moved: 'migrated', nothing: 'none', string: 'again', stays: 'busy' } as const
    return outcomes[found]
  }

  async #toString(storedId: string, reply: readonly string[], isDry: boolean): Promise<Outcome | 'again'> {
    const decoded = await this.#decoded(storedId, reply)
    if (decoded === undefined) return 'unreadable'
    if (isDry) return 'migrated'
    const { gateway, keys, options } = this.#context
    const key = keys.session(storedId)
    const packed = await gateway.script(PACK, key, ['', 1])
    if (packed.kind !== 'packed') return packed.kind === 'stays' ? 'busy' : 'again'
    // This is what was read at one moment together with its state.
    const session = await this.#decoded(storedId, [BOOKKEEPING_FIELD, packed.metaText, ...packed.fields.flat()])
    if (session === undefined) return 'unreadable'
    const text = JSON.stringify({ ...session, cookie: session.cookie ?? PLAIN_COOKIE })
    const isDone = await gateway.script(RESTORE_STRING, key, [packed.state, text, options.keepMs])
    return isDone ? 'migrated' : 'again'
  }
}

/** express-session needs a cookie in what connect-redis reads. */
const PLAIN_COOKIE = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }

/** Tells an application with `onEnd` when a session ends that has got another key. */
class Expectations extends LeaveToApplication {
  readonly #of: Context

  constructor(context: Context) {
    super(context)
    this.#of = context
  }

  override expect(storedId = '', idleMs = 0, createdAtMs?: number): Promise<void> {
    return scheduleExpiry(this.#of, storedId, idleMs, createdAtMs)
  }
}
