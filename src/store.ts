import type { Request } from 'express'
import type { Session, SessionData } from 'express-session'
import type { ActivityRange, ActivityReport } from './admin/activity.js'
import { countSessions, type SessionStats } from './admin/stats.js'
import { Answer } from './answer.js'
import type { CacheStats } from './cache/near-cache.js'
import { type Callback, callBack, isCallback, settleAfterIo, settleNextTick } from './callback.js'
import { EventStore } from './event-store.js'
import type { SessionEventName } from './events.js'
import type { LoadedSession } from './hash/decode.js'
import type {
  AnyContent,
  NumberName,
  PropertiesOf,
  PropertyName,
  SessionChanges,
  SessionContent,
  Whatever,
} from './hash/session-content.js'
import type { AnySession } from './hash/session-data.js'
import { hasId } from './ids/id-mapper.js'
import { type Ending, endSessions } from './indexes/destroy-by.js'
import { checkedDestroyBy, type DestroyByOptions } from './indexes/destroy-by-options.js'
import { indexEntry } from './indexes/find.js'
import { checkedFindBy, type FindByOptions, findPage } from './indexes/find-page.js'
import { checkNames } from './known-options.js'
import { type RedisStoreOptions, resolveOptions } from './options.js'
import { type Signal, started, type Within } from './redis/deadline.js'
import type { Arrival } from './requests/arrivals.js'
import { reloadMethod } from './requests/reload.js'
import { RequestSessions } from './requests/request-sessions.js'
import { Sessions } from './requests/sessions.js'
import { STORE_ACCESS, type StoreAccess } from './requests/store-access.js'
import { retire } from './rotation/retire.js'
import { type Context, reading } from './session/context.js'
import { destroySession, endHere, endSession } from './session/destroy.js'
import { incrementProperty } from './session/increment.js'
import { countMembers } from './session/index-entries.js'
import { inspectSession, readProperties } from './session/inspect.js'
import { encodeChanges, patchSession } from './session/patch.js'
import type { SessionInfo } from './session-info.js'
import { type StoreParts, storeParts } from './store-context.js'
import type { EndReason } from './watch/endings.js'

/** A session of `all`, with the id under which Redis holds it (with `hashIds`: a digest, not the cookie's id). */
export type ListedSession<Data extends object = SessionData> = SessionContent<Data> & { id: string }

/** What `scan` yields. */
export interface ScannedSession<Content = SessionContent> {
  session: Content
  info: SessionInfo
}

/** A store of whatever sessions, for what works with every store. */
export type AnyRedisStore = RedisStore<Whatever, Whatever>

/**
 * An express-session store that keeps each session as one Redis hash.
 *
 * Every method of the store contract takes an optional callback, called exactly once, and always returns a promise.
 * What is absent resolves null; ending what is not there is no error. All failures are `SessionStoreError`s.
 *
 * Where a method has several signatures, the last one is how it is written: no compiler knows what Redis holds, and the others say
 * what the application has declared. The one without a callback also makes a store of whatever `Data` fit express-session's `Store`.
 *
 * @typeParam Data what the application keeps in its sessions: by default, what it has added to express-session's `SessionData`
 * @typeParam Index the names of `indexes`, from which the compiler infers it where `Data` is not given
 */
export class RedisStore<Data extends object = SessionData, Index extends string = string> extends EventStore {
  readonly #parts: StoreParts
  readonly #context: Context
  readonly #within: Within
  readonly #sessions: Sessions
  readonly #requests: RequestSessions

  /** @throws TypeError that names the wrong option */
  constructor(options: RedisStoreOptions<Data, Index>) {
    super()
    this.#parts = storeParts(resolveOptions(options), this)
    this.#context = this.#parts.context
    this.#within = this.#parts.within
    this.#sessions = new Sessions(this.#context)
    const reload = reloadMethod((session, callback) => this.#get(this.#requests.arrivals.of(session), callback))
    this.#requests = new RequestSessions(this.#context, this.#sessions, this.#within, reload)
  }

  /** For this library's middleware. */
  get [STORE_ACCESS](): StoreAccess {
    return this.#requests
  }

  /** Assigned by express-session, to make a new session for a request. */
  get generate(): RequestSessions['generate'] {
    return this.#requests.generate
  }

  set generate(generate: RequestSessions['generate']) {
    this.#requests.generate = generate
  }

  /** How often each event has happened in this process. */
  get counters(): Readonly<Record<SessionEventName, number>> {
    return this.#context.announcer.counters
  }

  /** How the near cache does; undefined without the `cache` option. */
  get cacheStats(): Readonly<CacheStats> | undefined {
    return this.#parts.near?.stats
  }

  /** The session, or null. HGETALL, one command; none if the near cache has it (`cache` option). */
  override get(sid: string): Promise<SessionContent<Data> | null>
  override get(sid: string, callback?: Callback<SessionContent<Data> | null>): Promise<SessionContent<Data> | null>
  override get(sid: string, callback?: Callback<Whatever>): Promise<Whatever> {
    return this.#get({ sid, isReuse: false }, callback)
  }

  #get(arrival: Arrival, callback: Callback<LoadedSession | null> | undefined): Promise<LoadedSession | null> {
    const isAwaited = !isCallback(callback)
    const answer: typeof callback = isCallback(callback)
      ? (err, found) => this.#requests.arrivals.answer(arrival, callback, err, found)
      : undefined
    const isToBeNoted = isAwaited || this.#parts.activity !== undefined
    let known: LoadedSession | undefined
    try {
      known = this.#requests.arrivals.loadAtOnce(arrival)
      if (known !== undefined && isToBeNoted) this.#noteLoad(arrival, known, isAwaited)
    } catch (err) {
      return this.#settle('get', Promise.reject(err), answer)
    }
    if (known !== undefined) return settleAfterIo(known, answer)
    const loading = this.#requests.arrivals.load(arrival)
    const noted = isToBeNoted ? loading.then((session) => this.#noteLoad(arrival, session, isAwaited)) : loading
    return this.#settle('get', noted, answer)
  }

  /**
   * Saves a session: of one that was loaded, what changed, and nothing if it has ended meanwhile; of any other,
   * everything. An `expires` in the past ends the session.
   */
  override set(sid: string, session: AnySession | SessionContent<Data>, callback?: Callback<void>): Promise<void> {
    const saving = this.#run((signal) => {
      assertSession('set', session)
      const guarding = this.#requests.hooks.beforeSave(session)
      if (guarding === undefined) {
        const looking = this.#requests.lookAtSet(sid, session)
        return looking === undefined
          ? this.#save(sid, session, signal)
          : looking.then(() => this.#save(sid, session, signal))
      }
      return guarding.then((req) =>
        this.#save(req.sessionID ?? sid, (req.session as AnySession | undefined) ?? session, signal),
      )
    })
    return this.#settle('set', saving, callback)
  }

  #save(sid: string, session: AnySession, signal: Signal): Promise<void> {
    const saving = this.#requests.newSessions.save(session, () => this.#sessions.set(sid, session, signal))
    return this.#parts.activity !== undefined ? saving.then(() => void this.#noteActive(session)) : saving
  }

  /**
   * Slides the expiry, at most every `touchInterval`, and writes a changed cookie. With another serializer than JSON it also saves
   * what express-session cannot see, as it compares JSON: a Map, a Set or an instance that was changed in place.
   */
  override touch(sid: string, session: AnySession | SessionContent<Data>, callback?: Callback<void>): Promise<void> {
    let unseen: boolean | Promise<boolean>
    try {
      assertSession('touch', session)
      unseen = this.#sessions.hasUnseenChanges(sid, session)
      if (unseen === false && this.#sessions.isTouched(sid, session)) return settleNextTick(undefined, callback)
    } catch (err) {
      return this.#settle('touch', Promise.reject(err), callback)
    }
    if (unseen === false) return this.#settle('touch', this.#within(this.#sessions.touch(sid, session)), callback)
    const work = Promise.resolve(unseen).then((isChanged) =>
      isChanged ? this.set(sid, session) : this.#within(this.#sessions.touch(sid, session)),
    )
    return this.#settle('touch', work, callback)
  }

  /** Ends a session. DEL. Fails if that cannot be confirmed: a logout that did not happen is an error. */
  override destroy(sid: string, callback?: Callback<void>): Promise<void> {
    const ending = this.#run(() => destroySession(this.#context, this.#sessions.storedIds(sid), 'destroyed'))
    return this.#settle('destroy', ending, callback)
  }

  /** Every session. Walks the whole keyspace: for administration, not for requests. */
  override all(): Promise<ListedSession<Data>[]>
  override all(callback?: Callback<ListedSession<Data>[]>): Promise<ListedSession<Data>[]>
  override all(callback?: Callback<Whatever>): Promise<Whatever> {
    return this.#settle('all', this.#listed(), callback)
  }

  async #listed(): Promise<unknown[]> {
    const sessions: unknown[] = []
    for await (const { record, session } of this.#parts.keyspace.sessions()) {
      sessions.push({ ...session, id: record.storedId })
    }
    return sessions
  }

  /** The id of every session; with `hashIds`, the digests Redis holds. Walks the whole keyspace. */
  ids(callback?: Callback<string[]>): Promise<string[]> {
    return this.#settle('ids', this.#storedIds(), callback)
  }

  /** How many sessions there are. Walks the whole keyspace. */
  override length(callback?: Callback<number>): Promise<number> {
    return this.#settle('length', this.#count(), callback)
  }

  async #storedIds(): Promise<string[]> {
    const ids: string[] = []
    for await (const batch of this.#parts.keyspace.storedIds()) ids.push(...batch)
    return ids
  }

  async #count(): Promise<number> {
    let length = 0
    for await (const batch of this.#parts.keyspace.storedIds()) length += batch.length
    return length
  }

  /** Ends every session. Walks the whole keyspace. */
  override clear(callback?: Callback<void>): Promise<void> {
    return this.#settle(
      'clear',
      this.#parts.keyspace.clear().finally(() => this.#sessions.cleared()),
      callback,
    )
  }

  /**
   * Without `fields`, the session as `get` has it; with them, those properties only (HMGET). Never prolongs the session,
   * and what it resolves cannot be saved as a change.
   */
  read(sid: string, fields?: undefined): Promise<SessionContent<Data> | null>
  read<Name extends PropertyName<Data>>(sid: string, fields: readonly Name[]): Promise<PropertiesOf<Data, Name> | null>
  read(sid: string, fields?: readonly string[]): Promise<Whatever> {
    return this.#run(async () => {
      if (fields === undefined) return (await this.#sessions.load(sid))?.session ?? null
      return this.#sessions.first(sid, (storedId, id) => readProperties(this.#context, storedId, id, fields))
    })
  }

  /**
   * Changes some properties of an existing session, atomically and without loading it; `undefined` removes one. Does not
   * prolong the session.
   *
   * @returns false if there is no such session
   */
  patch(sid: string, changes: SessionChanges<Data>): Promise<boolean> {
    return this.#run(async () => {
      const encoded = encodeChanges(this.#context, changes)
      const storedIds = this.#sessions.storedIds(sid)
      if (!hasId(storedIds)) return false
      const looking = this.#requests.outside.beforePatch(storedIds, changes)
      if (looking !== undefined) await looking
      return patchSession(this.#context, storedIds, encoded)
    })
  }

  /**
   * Adds to a number of an existing session, atomically. An absent property counts from 0.
   *
   * @returns the new number, or null if there is no such session
   */
  increment(sid: string, field: NumberName<Data>, by = 1): Promise<number | null> {
    return this.#run(async () => {
      const storedIds = this.#sessions.storedIds(sid)
      return hasId(storedIds) ? incrementProperty(this.#context, storedIds, field, by) : null
    })
  }

  /** Whether there is such a session. HMGET, one command. */
  async exists(sid: string): Promise<boolean> {
    return (await this.info(sid)) !== null
  }

  /** When the session began, was last seen and will end. HMGET, one command. */
  info(sid: string): Promise<SessionInfo | null> {
    return this.#run(async () => {
      const found = await this.#sessions.first(sid, (storedId, id) => inspectSession(this.#context, storedId, id))
      return found?.info ?? null
    })
  }

  /**
   * The sessions under this value of an index (`indexes` option), newest first, a page of `limit` at a time: those that end last, which
   * with one idle timeout for all are those seen last. If one page has all of them, exactly those seen last come first. Costs by the
   * page: ZRANGE or a script, and HMGET for each session.
   *
   * @returns fewer than `limit` where there are no more
   */
  findBy(index: Index, value: string | number, options: FindByOptions = {}): Promise<SessionInfo[]> {
    return this.#run(async (signal) => {
      const entry = indexEntry(this.#context, index, value)
      return findPage(reading(this.#context, signal), entry, checkedFindBy(options))
    })
  }

  /** How many sessions there are under this value of an index; one that has just ended may count. ZCOUNT, one command. */
  countBy(index: Index, value: string | number): Promise<number> {
    return this.#run(async () => countMembers(this.#context, indexEntry(this.#context, index, value)))
  }

  /**
   * Ends all sessions under this value of an index: "log out everywhere". One that is just getting a new id ends, too, by itself if
   * need be; one that logs in meanwhile may stay. Fails if any of them could not be ended.
   *
   * @returns how many have been ended
   */
  destroyBy(index: Index, value: string | number, options: DestroyByOptions = {}): Promise<number> {
    return this.#runLong(async () => {
      const entry = indexEntry(this.#context, index, value)
      const { except, handle, thorough = false } = checkedDestroyBy(options)
      const ending: Ending = { except: except === undefined ? [] : this.#sessions.storedIds(except), handle, thorough }
      return endSessions(this.#context, this.#parts.keyspace, entry, ending, this.#within)
    })
  }

  /**
   * Every session, one at a time, without loading all of them at once. Never blocks Redis, never prolongs a session.
   *
   * @param options.fields only these properties; the others are dropped after loading
   */
  scan(options?: { fields?: undefined }): AsyncGenerator<ScannedSession<SessionContent<Data>>, void, undefined>
  scan<Name extends PropertyName<Data>>(options: {
    fields: readonly Name[]
  }): AsyncGenerator<ScannedSession<PropertiesOf<Data, Name>>, void, undefined>
  async *scan(
    options: { fields?: readonly string[] | undefined } = {},
  ): AsyncGenerator<ScannedSession<Whatever>, void, undefined> {
    const { fields } = options
    for await (const loaded of this.#parts.keyspace.sessions()) {
      const info = await this.#parts.keyspace.info(loaded)
      if (info === null) continue
      const { session } = loaded
      const kept =
        fields === undefined ? session : Object.fromEntries(Object.entries(session).filter(([k]) => fields.includes(k)))
      yield { session: kept, info }
    }
  }

  /**
   * How many sessions there are, how much memory they take, how old they are, and how many are in each index. Walks the whole
   * keyspace, never blocks Redis: for administration, not for requests. HMGET and MEMORY USAGE for each session.
   *
   * @param options.onProgress called again and again with what has been counted so far
   */
  stats(options: { onProgress?: (soFar: Readonly<SessionStats>) => void } = {}): Promise<SessionStats> {
    const { onProgress = () => undefined } = options
    return this.#runLong(() => countSessions(this.#context, this.#parts.keyspace, this.#within, onProgress))
  }

  /** Who was active when (`activity` option). */
  get activity(): { read(range: ActivityRange): Promise<ActivityReport> } {
    const { activity } = this.#parts
    if (activity === undefined) throw new TypeError('"activity" option is off: new RedisStore({ activity: true })')
    return {
      read: (range) => {
        const names = { from: 0, to: 0, step: 0 }
        return this.#runLong(async () => {
          checkNames('activity.read', range, names, "activity.read({ from, to, step: 'hour' })")
          return activity.read(range)
        })
      },
    }
  }

  /**
   * Calls back once when a session ends, for sockets that are to be closed then: at once if it ends in this process, or in
   * another one with the `broadcast` option; otherwise within a minute. `expired` also where nobody can tell how it ended.
   * A renewal of its id is no end.
   *
   * @param session what `loadSession` has resolved, or `req.session`
   * @returns stops watching
   */
  watch(session: { id: string }, onEnd: (reason: EndReason) => void): () => void {
    const storedIds = this.#sessions.storedIds(session?.id)
    if (!hasId(storedIds) || typeof onEnd !== 'function') {
      throw new TypeError('watch takes a session and a function: store.watch(session, (reason) => socket.close())')
    }
    return this.#parts.endings.watch(storedIds, onEnd)
  }

  /** For readiness endpoints: resolves the round trip in milliseconds, or rejects within `timeout`. PING. */
  ping(): Promise<number> {
    return this.#run(async () => {
      const start = performance.now()
      await this.#context.gateway.ping()
      return performance.now() - start
    })
  }

  /**
   * Ends this store's own timers, sends what it has counted, and waits for calls of `onEnd`, a minute at most. The client
   * stays open: it is yours.
   */
  async close(): Promise<void> {
    const { availability, endings, near, handOver, activity } = this.#parts
    availability.close()
    endings.close()
    this.#context.replicas?.close()
    near?.close()
    await handOver?.close()
    await activity?.flush().catch(() => undefined)
  }

  /** express-session turns loaded data into `req.session` here; what we know of the one must follow to the other. */
  override createSession(req: Request, session: SessionData): Session & SessionData {
    // A session stored without a cookie would make express-session throw at every request of its visitor.
    session.cookie ??= {} as SessionData['cookie']
    // What JSON has read, JSON can write.
    if (this.#context.options.serializer !== JSON) this.#requests.live.guardData(session)
    const live = super.createSession(req, session)
    this.#sessions.carryOver(session, live)
    this.#requests.equip(live)
    return live
  }

  /** express-session's own goes on with a new session even if the old one could not be ended. */
  override regenerate(req: Request, callback?: (err?: unknown) => void): void {
    const storedIds = this.#sessions.storedIds(req.sessionID)
    const reason = this.#requests.hooks.takeEndReason(req)
    const done = isCallback(callback)
      ? callback
      : (err?: unknown) => {
          if (err) this.#unheard('regenerate', err)
        }
    const { session: before } = req as { session?: object }
    const isUnsent = before !== undefined && this.#requests.newSessions.isUnsent(before)
    const end = isUnsent ? endHere : this.#requests.mayComeAgain(req, before) ? retire : endSession
    this.#settle(
      'regenerate',
      this.#run(() => end(this.#context, storedIds, reason)),
      (err, existed) => {
        if (err) return done(err)
        try {
          this.generate(req as never)
          this.#requests.newSessions.takesPlace((req as { session: object }).session, before, existed === true)
        } catch (cause) {
          return done(cause)
        }
        done()
      },
    ).catch(() => undefined)
  }

  #noteLoad(arrival: Arrival, session: LoadedSession | null, isAwaited: boolean): LoadedSession | null {
    if (this.#parts.activity !== undefined) this.#noteActive(session)
    if (isAwaited) this.#requests.arrivals.answered(arrival, session)
    return session
  }

  #noteActive<S extends AnySession | null>(session: S): S {
    const record = session === null ? undefined : this.#sessions.recordOf(session)
    if (record === undefined) return session
    const users = [this.#requests.userOf?.(session as AnyContent)].flat()
    const known = users.filter((user) => user !== undefined && user !== null && user !== '')
    this.#parts.activity?.note(record.storedId, known.map(String))
    return session
  }

  /** One operation on one session: `timeout` covers all of it. */
  #run<T>(work: (signal: Signal) => Promise<T>): Promise<T> {
    return this.#within(work)
  }

  /** Work on many sessions: `timeout` covers each step, see #within. */
  #runLong<T>(work: () => Promise<T>): Promise<T> {
    return started(work)
  }

  /** Serves both callers of the store contract: express-session passes a callback, applications await the promise. */
  #settle<T>(method: string, promise: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
    if (!isCallback(callback)) return new Answer(promise, (err) => this.#unheard(method, err))
    callBack(promise, callback)
    return promise
  }

  #unheard(method: string, err: unknown): void {
    const message = `store.${method}() failed with ${nameOf(err)}, and nobody has asked: pass a callback, or await it`
    this.#context.announcer.announce('warning', { code: 'failure-unheard', message })
  }
}

/** @throws TypeError for what is no session */
function assertSession(method: string, session: unknown): void {
  if (typeof session === 'object' && session !== null) return
  const given = session === null ? 'null' : typeof session
  throw new TypeError(`${method}(sid, session) takes a session object, not ${given}; destroy(sid) ends a session`)
}

/** What an error is, without what `validate` or an index may have put into its message. */
function nameOf(err: unknown): string {
  const { code, name } = (err ?? {}) as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : typeof name === 'string' ? name : typeof err
}
