import { isCookieField } from '../hash/cookie.js'
import type { LoadedSession } from '../hash/decode.js'
import { encodeProperties, type KnownTexts } from '../hash/encode.js'
import { propertyOf } from '../hash/field-name.js'
import { isLiveCookie, withExpires } from '../hash/live-cookie.js'
import { type Admission, heldAdmission, isAdmitted, standingOf } from '../hash/renewal-field.js'
import type { AnySession } from '../hash/session-data.js'
import { hasId, type StoredIds } from '../ids/id-mapper.js'
import { invalidId, parseSid, type Sid } from '../ids/sid.js'
import type { Signal } from '../redis/deadline.js'
import { admissionOf } from '../session/admission.js'
import type { Context } from '../session/context.js'
import { createSession } from '../session/create.js'
import { differUnseen, mayDiffer } from '../session/delta.js'
import { destroySession } from '../session/destroy.js'
import { firstOf } from '../session/first-found.js'
import { loadFirst } from '../session/load.js'
import { createdOf } from '../session/recent-loads.js'
import { saveSession } from '../session/save.js'
import { saveMarks } from '../session/save-marks.js'
import { isSameSession, type Loaded, type SessionRecord } from '../session/session-record.js'
import { type Ancestor, lease, type Snapshot, snapshot } from '../session/snapshot.js'
import { isTouched, touchSession, touchUnloaded } from '../session/touch.js'
import { Turns } from '../session/write-queue.js'
import { attachment } from './attachment.js'
import { CopiedSessions } from './copied-sessions.js'

/**
 * Maps session objects to what Redis held when they were loaded, and so decides what a `set` or `touch` of one must
 * write.
 */
export class Sessions {
  readonly #context: Context
  readonly #records = attachment<SessionRecord>()
  readonly #turns = attachment<Turns>()
  readonly #marks = attachment<Map<string, string>>()
  readonly #ancestors = attachment<Ancestor>()
  readonly #fixed = attachment<KnownTexts>()
  readonly #copies = new CopiedSessions()
  #hasWarned = false

  constructor(context: Context) {
    this.#context = context
  }

  /**
   * Returns the stored ids of a session id. The list is empty for a value that cannot be a session id; such a value
   * is never sent to Redis.
   */
  storedIds(id: unknown): readonly string[] {
    const sid = parseSid(id)
    return sid === null ? [] : this.#context.ids.candidates(sid.first)
  }

  /** Returns the first answer among the stored ids that a session may have. */
  async first<T>(id: string, find: (storedId: string, sid: Sid) => Promise<T | null>): Promise<T | null> {
    const sid = parseSid(id)
    if (sid === null) return null
    return firstOf(this.#context.ids.candidates(sid.first), (storedId) => find(storedId, sid))
  }

  /**
   * @param onReuse called if an id names a session, but is so old that only an attacker would present it
   * @param held the record of a session object that was already admitted with this id and loads its session again
   */
  async load(id: string, onReuse?: () => void, held?: SessionRecord): Promise<Loaded | null> {
    const sid = parseSid(id)
    if (sid === null) return null
    const loaded = await this.#loadFor(sid)
    if (loaded === null) return null
    const { record, generation } = loaded
    if (held !== undefined && isSameSession(held, record)) {
      present(loaded, id, sid, heldAdmission(sid, generation), true)
      return loaded
    }
    const admitting = admissionOf(this.#context, record.storedId, sid, generation)
    const admission = typeof admitting === 'string' ? admitting : await admitting
    if (admission === 'reused') onReuse?.()
    if (!isAdmitted(admission)) return null
    present(loaded, id, sid, admission)
    return loaded
  }

  #loadFor(sid: Sid): Promise<Loaded | null> {
    const storedIds = this.#context.ids.candidates(sid.first)
    // An id that this process has not heard of may have been issued by another one a moment ago.
    const isUsable = ({ generation }: Loaded) => standingOf(sid, generation) !== 'unknown'
    return this.#context.cache?.load(storedIds, isUsable) ?? loadFirst(this.#context, storedIds)
  }

  /** Returns synchronously what `get` would resolve to; undefined if Redis must be asked. */
  getAtOnce(id: string): LoadedSession | undefined {
    const sid = this.#context.cache && parseSid(id)
    const loaded = sid && this.#context.cache?.loadAtOnce(this.#context.ids.candidates(sid.first))
    if (!loaded) return undefined
    const standing = standingOf(sid, loaded.generation)
    if (standing === 'outdated' || !isAdmitted(standing)) return undefined
    this.#context.cache?.countHit(loaded.session)
    present(loaded, id, sid, standing)
    this.#records.set(loaded.session, loaded.record)
    return loaded.session
  }

  /** Loads a session so that a later `set` of the same object writes only what changed. */
  get(id: string, onReuse?: () => void, held?: SessionRecord): Promise<LoadedSession | null> {
    return this.load(id, onReuse, held).then((loaded) => {
      if (loaded === null) return null
      this.#records.set(loaded.session, loaded.record)
      return loaded.session
    })
  }

  /** Copies the record to a Session that was made from loaded data, or from another Session under its next id. */
  carryOver(from: object, to: object): void {
    const record = this.#records.get(from)
    const marks = this.#marks.get(from)
    if (record !== undefined) {
      this.#copies.adopted(from, record)
      this.#records.set(to, record)
    }
    if (marks !== undefined) this.#marks.set(to, marks)
  }

  /**
   * A callback is about to receive a loaded session. While it runs, it becomes clear whether it is
   * express-session's.
   */
  offer(session: LoadedSession): void {
    const record = this.#records.get(session)
    if (record !== undefined) this.#copies.offer(session, record)
  }

  settleOffer(): void {
    this.#copies.settle()
  }

  /** A caller without a callback receives a loaded session. */
  handOut(session: LoadedSession): void {
    const record = this.#records.get(session)
    if (record !== undefined) this.#copies.handedOut(session, record)
  }

  /** A caller is told that there is no such session. */
  missed(id: string): void {
    if (!this.#copies.isUnused) this.#copies.missed(this.storedIds(id))
  }

  /** All sessions have been ended. */
  cleared(): void {
    this.#copies.cleared()
  }

  /** @param signal the signal of this operation */
  set(sid: string, session: AnySession, signal?: Signal): Promise<void> {
    const context = this.#during(signal)
    const known = this.#records.get(session)
    // Nearly every session is saved under the id that it was loaded with.
    if (known !== undefined && known.askedWith === sid) return this.#saveLoaded(context, session, known)
    const storedIds = this.storedIds(sid)
    if (!hasId(storedIds)) throw invalidId(sid)
    const base = this.#recordOf(session, storedIds) === undefined && this.#copies.baseOf(session, storedIds)
    if (base && base.kind !== 'certain') this.#warnOfCopies()
    if (base && base.kind === 'forgotten') return this.#replaceLoaded(storedIds, session, base.created)
    if (base) this.#records.set(session, base.record)
    if (base && base.kind === 'contested') context.merger?.startsFrom(base.record, base.earliest)
    const record = this.#recordOf(session, storedIds)
    if (record !== undefined) return this.#saveLoaded(context, session, record)
    const next = this.#snapshot(session, undefined)
    if (next.idle <= 0) return destroySession(this.#context, storedIds, 'expired')
    // Plain data that was never loaded replaces the stored session every time, as in MemoryStore.
    if (!isLiveCookie((session as { cookie?: unknown }).cookie)) {
      this.#copies.isNew(session)
      return createSession(context, storedIds, next).then(() => undefined)
    }
    return this.#create(context, session, storedIds, next)
  }

  #saveLoaded(context: Context, session: AnySession, record: SessionRecord): Promise<void> {
    this.#copies.saved(record)
    const next = this.#snapshot(session, record)
    if (next.idle <= 0) return destroySession(this.#context, record.storedIds, 'expired')
    return this.#inTurn(record, () => saveSession(context, record, next))
  }

  async touch(sid: string, session: AnySession): Promise<void> {
    const storedIds = this.storedIds(sid)
    const record = this.#recordOf(session, storedIds)
    if (record === undefined) return touchUnloaded(this.#context, storedIds, session)
    const next = lease(this.#context, session, record)
    if (next.idle <= 0) return destroySession(this.#context, storedIds, 'expired')
    return this.#inTurn(record, () => touchSession(this.#context, record, next))
  }

  /** Whether a `touch` with this id has nothing to do, as far as is known without waiting. In case of doubt, false. */
  isTouched(sid: string, session: AnySession): boolean {
    const record = this.#records.get(session)
    // With another id it may be another session. While it is being written, the result is not known yet.
    if (record === undefined || record.askedWith !== sid || this.#turns.has(record)) return false
    return isTouched(this.#context, record, lease(this.#context, session, record))
  }

  /**
   * Whether the session has changed in a way that JSON does not show, so that express-session calls `touch` instead
   * of `set`. With JSON as the serializer there are no such changes. Returns a promise if the serializer has to
   * parse the texts.
   */
  hasUnseenChanges(sid: string, session: AnySession): boolean | Promise<boolean> {
    const { serializer } = this.#context.options
    if (serializer === JSON) return false
    const record = this.#recordOf(session, this.storedIds(sid))
    if (record === undefined || record.hasEnded) return false
    return differUnseen(record, encodeProperties(session, serializer, this.#known(session, record)), serializer)
  }

  /** Whether a `set` of this session would write anything except marks. It compares texts: in case of doubt, true. */
  isChanged(session: AnySession): boolean {
    const record = this.#records.get(session)
    const { fields, cookie, isAsInString } = snapshot(
      this.#context,
      session,
      record,
      undefined,
      undefined,
      this.#known(session, record),
    )
    if (record === undefined) return fields.some(([field]) => propertyOf(field) !== undefined)
    if (record.origin.kind === 'string') {
      // A save makes a hash of it, unless the option `convert` leaves views alone.
      if (this.#context.options.convert === 'on-touch' || !isAsInString) return true
      return mayDiffer(
        record,
        fields.filter(([field]) => propertyOf(field) !== undefined),
      )
    }
    return record.origin.meta.flags !== cookie.flags || mayDiffer(record, fields)
  }

  /** Whether the cookie differs from the one that was loaded. */
  isCookieChanged(session: AnySession): boolean {
    const record = this.#records.get(session)
    if (record === undefined || record.origin.kind === 'string') return true
    const { cookie } = lease(this.#context, session, record)
    if (cookie.flags !== record.origin.meta.flags) return true
    const held = [...record.fields].filter(([field]) => isCookieField(field))
    return held.length !== cookie.fields.length || cookie.fields.some(([f, text]) => record.fields.get(f) !== text)
  }

  /** Returns the record of a session object, if there is one. */
  recordOf(session: object): SessionRecord | undefined {
    return this.#records.get(session)
  }

  /** Stores a bookkeeping field with the session from its next save on. */
  mark(session: object, field: string, text: string): void {
    this.#marks.set(session, new Map(this.#marks.get(session)).set(field, text))
  }

  marked(session: object, field: string): string | undefined {
    return this.#marks.get(session)?.get(field) ?? this.#records.get(session)?.fields.get(field)
  }

  /** Writes the marks of a loaded session now, if it still exists, because the request may end without a save. */
  async saveMarks(session: AnySession): Promise<void> {
    const record = this.#records.get(session)
    const marks = this.#marks.get(session)
    if (record === undefined || marks === undefined) return
    const next = lease(this.#context, session, record)
    await this.#inTurn(record, () => saveMarks(this.#context, record, next, marks))
  }

  /** Records which session this one continues under a new id. */
  inherit(session: object, ancestor: Ancestor): void {
    this.#ancestors.set(session, ancestor)
  }

  /** Fixes the texts to save. Changes to the session while its response ends are ignored. */
  fix(session: object, texts: KnownTexts): void {
    this.#fixed.set(session, texts)
  }

  #known(session: object, record: SessionRecord | undefined): KnownTexts | undefined {
    const fixed = this.#fixed.get(session)
    // A session object may be kept and saved again after its response has been sent.
    return fixed !== undefined && isUnanswered(session) ? fixed : record
  }

  /**
   * Saves the whole copy of a loaded session, unless the session has ended meanwhile. It is unknown which state the
   * copy was made from.
   *
   * @param created creation stamp of the session that was loaded
   */
  async #replaceLoaded(storedIds: StoredIds, session: AnySession, created: string | undefined): Promise<void> {
    const copy = { ...session }
    const loaded = await loadFirst(this.#context, storedIds)
    if (loaded === null || createdOf(loaded.record) !== created) {
      this.#context.announcer.announceOf(storedIds[0], 'refused', { operation: 'save' })
      return
    }
    const { record } = loaded
    const next = this.#snapshot(withExpires(copy, record.provenance.loadedExpires), record)
    if (next.idle <= 0) return destroySession(this.#context, storedIds, 'expired')
    this.#records.set(session, record)
    return this.#inTurn(record, () => saveSession(this.#context, record, next))
  }

  #warnOfCopies(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    this.#context.announcer.announce('warning', {
      code: 'saves-copies',
      message:
        'this host saves copies of sessions, and parallel requests have loaded different ones: the save that comes last wins where they differ',
    })
  }

  /** Passes the signal on only to operations that may take long: making room for a session, and merging. */
  #during(signal: Signal | undefined): Context {
    const { limiter, merger } = this.#context
    const isShort = limiter === undefined && merger === undefined
    return signal === undefined || isShort ? this.#context : { ...this.#context, signal }
  }

  #snapshot(session: AnySession, record: SessionRecord | undefined): Snapshot {
    const [marks, ancestor] = [this.#marks.get(session), this.#ancestors.get(session)]
    return snapshot(this.#context, session, record, marks, ancestor, this.#known(session, record))
  }

  /**
   * Creates a live session only once. If it is saved again, it must not restore a session that another request has
   * ended meanwhile.
   */
  #create(context: Context, session: AnySession, storedIds: StoredIds, next: Snapshot): Promise<void> {
    return this.#inTurn(session, async () => {
      const known = this.#recordOf(session, storedIds)
      if (known !== undefined) return this.#inTurn(known, () => saveSession(context, known, next))
      const created = await createSession(context, storedIds, { ...next, isNew: true })
      if (created !== null) this.#records.set(session, created)
    })
  }

  /** @param owner the record of the session that is written, or the session itself while it has no record */
  #inTurn<T>(owner: object, work: () => Promise<T>): Promise<T> {
    const turns = this.#turns.get(owner) ?? new Turns(this.#context.options.timeoutMs)
    this.#turns.set(owner, turns)
    return turns.take(work)
  }

  /** Returns undefined for an object that is saved under another id than it was loaded with. */
  #recordOf(session: object, storedIds: readonly string[]): SessionRecord | undefined {
    const record = this.#records.get(session)
    return record !== undefined && storedIds.includes(record.storedId) ? record : undefined
  }
}

/** Uses Express's reference from a request to its response (`req.res`). */
function isUnanswered(session: object): boolean {
  const { req } = session as { req?: { res?: { writableFinished: boolean } } }
  return req?.res?.writableFinished === false
}

/** Records the id with which a session was requested. */
function present(
  { record, generation }: Loaded,
  id: string,
  sid: Sid,
  admission: Admission,
  isHeld = admission !== 'superseded',
): void {
  const createdAtMs = record.origin.kind === 'hash' ? record.origin.meta.createdAtMs : Date.now()
  record.askedWith = id
  record.presented = { sid, admission, issuedAtMs: generation?.sinceMs ?? createdAtMs, isHeld }
}
