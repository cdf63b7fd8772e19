import type { Request } from 'express'
import type { Session, SessionData } from 'express-session'
import type { ActivityRange, ActivityReport } from './admin/activity.js'
import { ADMIN_ACCESS, type AdminAccess } from './admin/admin-access.js'
import { findSession } from './admin/find-session.js'
import { countSessions, type SessionStats } from './admin/stats.js'
import type { CacheStats } from './cache/near-cache.js'
import { type Callback, callBack, isCallback, settleAfterIo, settleNextTick } from './callback.js'
import { nameOf } from './errors.js'
import { EventStore } from './event-store.js'
import type { SessionEventName } from './events.js'
import type { LoadedSession } from './hash/decode.js'
import { assertPath, valueAt, withValueAt } from './hash/path.js'
import type {
  AnyContent,
  NumberName,
  PropertiesOf,
  PropertyName,
  SessionChanges,
  SessionContent,
  SessionPath,
  SessionProperties,
  ValueAt,
  Whatever,
} from './hash/session-content.js'
import type { AnySession } from './hash/session-data.js'
import { handleOf } from './ids/handle.js'
import { hasId } from './ids/id-mapper.js'
import { type Ending, endSessions } from './indexes/destroy-by.js'
import { checkedDestroyBy, type DestroyByOptions } from './indexes/destroy-by-options.js'
import { indexEntry } from './indexes/find.js'
import { checkedFindBy, type FindByOptions, findPage } from './indexes/find-page.js'
import { checkNames } from './known-options.js'
import { isTraced, traced, traceMethods } from './operations.js'
import { type RedisStoreOptions, resolveOptions } from './options.js'
import { type Signal, started, type Within } from './redis/deadline.js'
import type { Arrival } from './requests/arrivals.js'
import { knownEntries } from './requests/destroy-method.js'
import { reloadMethod } from './requests/reload.js'
import { type Generate, RequestSessions } from './requests/request-sessions.js'
import { Sessions } from './requests/sessions.js'
import { STORE_ACCESS, type StoreAccess } from './requests/store-access.js'
import { retire } from './rotation/retire.js'
import { type Context, reading } from './session/context.js'
import { destroySession, endHere, endSession } from './session/destroy.js'
import { incrementProperty } from './session/increment.js'
import { countMembers } from './session/index-entries.js'
import { inspectSession, readProperties } from './session/inspect.js'
import { encodeChanges, patchSession } from './session/patch.js'
import { setAtPath } from './session/path.js'
import type { SessionInfo } from './session-info.js'
import { type StoreParts, storeParts } from './store-context.js'
import { healthOf, type StoreHealth } from './store-health.js'
import { StorePromise } from './store-promise.js'
import type { EndReason } from './watch/endings.js'

/** Methods that publish their calls (operations.ts). `regenerate`, `reload` and `activity` do so themselves. */
const TRACED = {
  get: 'get',
  set: 'set',
  touch: 'touch',
  destroy: 'destroy',
  all: 'all',
  ids: 'ids',
  length: 'length',
  clear: 'clear',
  read: 'read',
  patch: 'patch',
  increment: 'increment',
  getPath: 'getPath',
  setPath: 'setPath',
  exists: 'exists',
  info: 'info',
  find: 'find',
  findBy: 'findBy',
  countBy: 'countBy',
  destroyBy: 'destroyBy',
  scan: 'scan',
  stats: 'stats',
  ping: 'ping',
} as const

/**
 * A session that `all` resolves to, with the `id` under which Redis stores it (with `hashIds`, a digest of the cookie's
 * id).
 */
export type ListedSession<Data extends object = SessionData> = SessionContent<Data> & {
  /** The id under which Redis stores the session. */
  id: string
}

/** A session that `scan` yields. */
export interface ScannedSession<Content = SessionContent> {
  /** The session's properties and cookie, or those properties that the option `fields` names. */
  session: Content
  /** What the store knows about the session. */
  info: SessionInfo
}

/** A store with any type of session, for code that works with every store. */
export type AnyRedisStore = RedisStore<Whatever, Whatever>

/**
 * An express-session store that keeps each session as one Redis hash.
 *
 * `get`, `set`, `touch`, `destroy`, `all`, `ids`, `length` and `clear` are express-session's store contract. They take
 * an optional callback, which they call exactly once, and always return a promise; that of `set`, `touch`, `destroy`
 * and `clear` resolves to undefined. `sid` is a session id, such as `req.sessionID`. It is no error to read or end a
 * session that does not exist.
 *
 * A failure is a `SessionStoreError`, a wrong argument a `TypeError`; if `validate` or an index function throws, its
 * error arrives as it is. docs/errors.md explains the codes. docs/storage.md has the Redis commands of each method;
 * while `hashIds` changes, a method may send them once for each id under which the session may be stored.
 *
 * @typeParam Data type of the session's content. Default: express-session's `SessionData`, to which applications add
 *   their properties
 * @typeParam Index names of the indexes; the compiler infers them from the `indexes` option unless `Data` is given
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
    const load = (session: Session, callback?: Callback<Whatever>) =>
      this.#get(this.#requests.arrivals.of(session), callback)
    const reload = reloadMethod((session, callback) =>
      isTraced() ? traced('reload', this.#context, () => load(session, callback)) : load(session, callback),
    )
    this.#requests = new RequestSessions(this.#context, this.#sessions, this.#within, reload)
  }

  static {
    traceMethods(
      RedisStore.prototype,
      TRACED,
      (store) => store.#context,
      (store, session) => store.#context.cache?.hasServed(session),
    )
  }

  /** @internal Access for the middleware of this library. Applications cannot use it. */
  get [STORE_ACCESS](): StoreAccess {
    return this.#requests
  }

  /** @internal Access for `adminRouter`. Applications cannot use it. */
  get [ADMIN_ACCESS](): AdminAccess {
    return this.#parts
  }

  /** Makes a new session for a request. express-session assigns this function and calls it. */
  get generate(): Generate {
    return this.#requests.generate
  }

  set generate(generate: Generate) {
    this.#requests.generate = generate
  }

  /** How often this store has emitted each event, by the event's name. */
  get counters(): Readonly<Record<SessionEventName, number>> {
    return this.#context.announcer.counters
  }

  /**
   * Whether Redis answers, and whether the store's additional connections work, as far as the store knows without
   * asking.
   */
  get health(): StoreHealth {
    return healthOf(this.#parts)
  }

  /** Counters of the near cache; undefined without the `cache` option. */
  get cacheStats(): Readonly<CacheStats> | undefined {
    return this.#parts.near?.stats
  }

  /**
   * Loads a session. Sends one command, HGETALL, or none if the near cache (`cache` option) has the session.
   *
   * @returns its properties and cookie; null if there is no such session
   */
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
   * Saves a session. If this store has loaded the session, it writes only the changes, and nothing if the session has
   * ended meanwhile. It writes any other session completely. A cookie whose `expires` is in the past ends the session.
   *
   * @param session `req.session`, or plain data
   * @throws ERR_SESSION_LIMIT, or one of the codes with status 500 if the session cannot be stored
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
   * Prolongs a session, at most every `touchInterval` seconds, and writes its cookie if that has changed.
   * express-session calls it if the session's JSON has not changed. With a serializer other than JSON, it therefore
   * also saves a Map, a Set or a class instance that was changed in place.
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

  /**
   * Ends a session. Rejects if Redis does not confirm the end, because a logout must not fail unnoticed.
   *
   * @throws ERR_SESSION_NOT_REPLICATED with the option `replicas`, and the other codes with status 503
   */
  override destroy(sid: string, callback?: Callback<void>): Promise<void> {
    const { entriesToEnd } = this.#requests
    const ending = this.#run(() =>
      destroySession(this.#context, this.#sessions.storedIds(sid), 'destroyed', entriesToEnd),
    )
    return this.#settle('destroy', ending, callback)
  }

  /** Loads all sessions. Scans all keys of the database, so use it for administration, not in requests. */
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

  /** Lists the ids of all sessions; with `hashIds`, the digests of the ids. Scans all keys of the database. */
  ids(callback?: Callback<string[]>): Promise<string[]> {
    return this.#settle('ids', this.#storedIds(), callback)
  }

  /** Counts the sessions. Scans all keys of the database. */
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

  /** Ends all sessions, and deletes the store's indexes. Scans all keys of the database. */
  override clear(callback?: Callback<void>): Promise<void> {
    return this.#settle(
      'clear',
      this.#parts.keyspace.clear().finally(() => this.#sessions.cleared()),
      callback,
    )
  }

  /**
   * Reads a session, or only some of its properties (HMGET). Does not prolong the session. `set` cannot save changes of
   * the result, because the store does not count it as loaded; use `patch`.
   *
   * @param fields names of the properties, without `cookie`; undefined: the whole session
   * @returns the properties; null if there is no such session
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
   * Changes some properties of an existing session atomically. Loads the session first only if the store has `indexes`.
   * Does not prolong the session.
   *
   * @param changes new values by property; `undefined` removes the property
   * @returns true; false if there is no such session
   * @throws ERR_SESSION_NOT_SERIALIZABLE, ERR_SESSION_TOO_LARGE, ERR_SESSION_INVALID_INDEX or ERR_SESSION_LIMIT
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
   * Changes one value inside a property of an existing session atomically; its neighbours stay as they are. If plain
   * objects are missing on the path, it makes them. Does not prolong the session. Sends HMGET and a script, or HGETALL
   * and a script with `indexes`; it repeats both if another request saves in between.
   *
   * @param path name of the property, then names of keys, e.g. `['preferences', 'theme']`
   * @param value undefined removes the value
   * @returns true; false if there is no such session
   * @throws ERR_SESSION_NOT_AN_OBJECT if the path leads through a list, a scalar or an instance of a class;
   *   ERR_SESSION_CONFLICT if others save a hundred times meanwhile; and the codes of `patch`
   */
  setPath<const Path extends SessionPath<Data>>(
    sid: string,
    path: Path,
    value: ValueAt<SessionProperties<Data>, Path> | undefined,
  ): Promise<boolean> {
    return this.#run(async (signal) => {
      assertPath('setPath', path)
      const storedIds = this.#sessions.storedIds(sid)
      if (!hasId(storedIds)) return false
      const [property, ...names] = path
      const changes = { [property]: withValueAt({}, names, value) }
      const looking = this.#requests.outside.beforePatch(storedIds, changes, 'setPath')
      if (looking !== undefined) await looking
      return setAtPath({ ...this.#context, signal }, storedIds, path, value)
    })
  }

  /**
   * Reads one value inside a property, with one command, HMGET. Does not prolong the session.
   *
   * @param path as for `setPath`
   * @returns undefined if there is no such value, or no such session
   */
  getPath<const Path extends SessionPath<Data>>(
    sid: string,
    path: Path,
  ): Promise<ValueAt<SessionProperties<Data>, Path> | undefined>
  getPath(sid: string, path: readonly string[]): Promise<Whatever> {
    return this.#run(async () => {
      assertPath('getPath', path)
      const found = await this.#sessions.first(sid, (storedId, id) =>
        readProperties(this.#context, storedId, id, path.slice(0, 1)),
      )
      return valueAt(found, path)
    })
  }

  /**
   * Adds to a number in an existing session, atomically. Does not prolong the session.
   *
   * @param field name of the property; an absent property counts as 0
   * @param by the number to add, default 1; a negative number subtracts
   * @returns the new number; null if there is no such session
   * @throws ERR_SESSION_NOT_A_NUMBER, ERR_SESSION_TOO_LARGE or ERR_SESSION_CONFLICT
   */
  increment(sid: string, field: NumberName<Data>, by = 1): Promise<number | null> {
    return this.#run(async () => {
      const storedIds = this.#sessions.storedIds(sid)
      return hasId(storedIds) ? incrementProperty(this.#context, storedIds, field, by) : null
    })
  }

  /** Tells whether a session exists: true or false. Sends the same commands as `info`. */
  async exists(sid: string): Promise<boolean> {
    return (await this.#info(sid)) !== null
  }

  /**
   * Tells when a session began, was last seen and will end. Sends one command, HMGET; a second one if the session has
   * several values in one index.
   *
   * @returns a `SessionInfo`; null if there is no such session
   */
  info(sid: string): Promise<SessionInfo | null> {
    return this.#info(sid)
  }

  #info(sid: string): Promise<SessionInfo | null> {
    return this.#run(async () => {
      const found = await this.#sessions.first(sid, (storedId, id) => inspectSession(this.#context, storedId, id))
      return found?.info ?? null
    })
  }

  /**
   * Finds the session with this public name. Scans keys of the database until it finds the session, so use it for
   * administration, not in requests. Does not prolong the session.
   *
   * @param handle as `info`, `findBy` and events give it
   * @returns a `SessionInfo`; null if there is no such session
   */
  find(handle: string): Promise<SessionInfo | null> {
    return this.#runLong(() => findSession(this.#parts, handle))
  }

  /**
   * Tells the handle of a session that this store has loaded or saved, such as `req.session`, for logs and traces.
   * Sends no command.
   *
   * @returns undefined for a new session
   */
  handleOf(session: object | null | undefined): string | undefined {
    const record = session ? this.#sessions.recordOf(session) : undefined
    return record && handleOf(record.storedId)
  }

  /**
   * Finds the sessions that have a value in an index (`indexes` option), `limit` at a time. The sessions that expire
   * last come first; if all have the same idle timeout, these are the ones that were seen last. If one page holds all
   * sessions, it orders them exactly by when they were last seen. Sends ZRANGE or a script for each page, and HMGET for
   * each session.
   *
   * @param index name of the index
   * @param value a string or a finite number, e.g. the id of a user
   * @returns a list of `SessionInfo`, with fewer than `limit` if it is the last page
   * @throws TypeError if the store has no such index
   */
  findBy(index: Index, value: string | number, options: FindByOptions = {}): Promise<SessionInfo[]> {
    return this.#run(async (signal) => {
      const entry = indexEntry(this.#context, index, value)
      return findPage(reading(this.#context, signal), entry, checkedFindBy(options))
    })
  }

  /**
   * Counts the sessions that have a value in an index (`indexes` option). The number may include a session that has
   * just ended. Sends one command, ZCOUNT.
   *
   * @param value as for `findBy`
   */
  countBy(index: Index, value: string | number): Promise<number> {
    return this.#run(async () => countMembers(this.#context, indexEntry(this.#context, index, value)))
  }

  /**
   * Ends all sessions that have a value in an index (`indexes` option): "log out everywhere". This includes sessions
   * that are getting a new id at this moment. A login that happens meanwhile may survive. Rejects if any session could
   * not be ended.
   *
   * @param value as for `findBy`
   * @returns how many sessions were ended
   */
  destroyBy(index: Index, value: string | number, options: DestroyByOptions = {}): Promise<number> {
    return this.#runLong(async () => {
      const entry = indexEntry(this.#context, index, value)
      const { except, handle, thorough = this.#context.options.thorough } = checkedDestroyBy(options)
      const ending: Ending = { except: except === undefined ? [] : this.#sessions.storedIds(except), handle, thorough }
      return endSessions(this.#context, this.#parts.keyspace, entry, ending, this.#within)
    })
  }

  /**
   * Yields all sessions one by one (`ScannedSession`), so that they need not fit into memory at once. Scans all keys of
   * the database, but does not block Redis and does not prolong a session.
   *
   * @param options `{ fields }`: names of the properties to yield; the store loads whole sessions all the same
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
   * Counts the sessions, their memory, their ages, and the sessions in each index. Scans all keys of the database
   * without blocking Redis, and sends HMGET and MEMORY USAGE for each session, so use it for administration, not in
   * requests.
   *
   * @param options `{ onProgress }`: a function that is called repeatedly with the statistics so far
   * @returns `SessionStats`
   */
  stats(options: { onProgress?: (soFar: Readonly<SessionStats>) => void } = {}): Promise<SessionStats> {
    const { onProgress = () => undefined } = options
    return this.#runLong(async () => (await countSessions(this.#parts, onProgress)).stats)
  }

  /**
   * `store.activity.read({ from, to, step })` tells how many users and sessions were active in past minutes, hours or
   * days (`ActivityRange`, `ActivityReport`).
   *
   * @throws TypeError without the `activity` option, or if the range would have more than 10,000 steps
   */
  get activity(): { read(range: ActivityRange): Promise<ActivityReport> } {
    const { activity } = this.#parts
    if (activity === undefined) throw new TypeError('"activity" option is off: new RedisStore({ activity: true })')
    return {
      read: (range) => {
        const names = { from: 0, to: 0, step: 0 }
        const read = async () => {
          checkNames('activity.read', range, names, "activity.read({ from, to, step: 'hour' })")
          return activity.read(range)
        }
        return isTraced() ? traced('activity', this.#context, read) : read()
      },
    }
  }

  /**
   * Calls a function once when a session has ended, for example to close a WebSocket. The call comes at once if the
   * session ends in this process or, with the `broadcast` option, in another one; otherwise within a minute. The reason
   * is `expired` if the store does not know the real one. A rotation ends the watch with the reason `rotated`; a
   * renewal of the session's id does not end it.
   *
   * @param session the result of `loadSession`, or `req.session`
   * @param onEnd called with the reason (`EndReason`)
   * @returns a function that stops watching
   */
  watch(session: { id: string }, onEnd: (reason: EndReason) => void): () => void {
    const storedIds = this.#sessions.storedIds(session?.id)
    if (!hasId(storedIds) || typeof onEnd !== 'function') {
      throw new TypeError('watch takes a session and a function: store.watch(session, (reason) => socket.close())')
    }
    return this.#parts.endings.watch(storedIds, onEnd)
  }

  /**
   * Sends PING to Redis, for readiness endpoints. In a Cluster, one master that answers is enough.
   *
   * @returns duration of the round trip in milliseconds
   * @throws ERR_SESSION_TIMEOUT or ERR_SESSION_UNAVAILABLE if Redis does not answer within `timeout`
   */
  ping(): Promise<number> {
    return this.#run(async () => {
      const start = performance.now()
      await this.#context.gateway.ping()
      return performance.now() - start
    })
  }

  /**
   * Stops the store's timers, closes its additional connections, and writes pending `activity` counts. Resolves when
   * the running calls of `onEnd` have ended, at most a minute later. The client stays open: close it afterwards.
   */
  async close(): Promise<void> {
    const { availability, endings, near, handOver, activity, closers } = this.#parts
    for (const close of closers) close()
    availability.close()
    endings.close()
    this.#context.replicas?.close()
    near?.close()
    await handOver?.close()
    await activity?.flush().catch(() => undefined)
  }

  /**
   * Turns loaded data into `req.session`; express-session calls it. The store's record of the loaded data moves to the
   * new object, so that a later save can write only the changes.
   */
  override createSession(req: Request, session: SessionData): Session & SessionData {
    // Without a cookie, express-session would throw at every request of this visitor.
    session.cookie ??= {} as SessionData['cookie']
    // Data that was read as JSON needs no guard: it can be written as JSON.
    if (this.#context.options.serializer !== JSON) this.#requests.live.guardData(session)
    const live = super.createSession(req, session)
    this.#sessions.carryOver(session, live)
    this.#requests.live.equip(live)
    return live
  }

  /**
   * Ends the session of a request and gives the request a new one; express-session's `req.session.regenerate` calls it.
   * If the old session cannot be ended, the callback gets the error. (express-session's own method would go on with the
   * new session.)
   */
  override regenerate(req: Request, callback?: (err?: unknown) => void): void {
    const storedIds = this.#sessions.storedIds(req.sessionID)
    const reason = this.#requests.hooks.takeEndReason(req)
    const done = isCallback(callback)
      ? callback
      : (err?: unknown) => {
          if (err) this.#unheard('regenerate', err)
        }
    const { session: before } = req as { session?: object }
    const known = before && knownEntries(this.#sessions.recordOf(before))
    const isUnsent = before !== undefined && this.#requests.newSessions.isUnsent(before)
    const end = isUnsent ? endHere : this.#requests.mayComeAgain(req, before) ? retire : endSession
    const ending = () => end(this.#context, storedIds, reason, known)
    this.#settle(
      'regenerate',
      isTraced() ? traced('regenerate', this.#context, () => this.#run(ending)) : this.#run(ending),
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

  /** Runs an operation on one session. `timeout` limits the whole operation. */
  #run<T>(work: (signal: Signal) => Promise<T>): Promise<T> {
    return this.#within(work)
  }

  /** Runs an operation on many sessions. `timeout` limits each of its steps, which call #within themselves. */
  #runLong<T>(work: () => Promise<T>): Promise<T> {
    return started(work)
  }

  /** Reports the result to both kinds of callers: express-session passes a callback, applications await the promise. */
  #settle<T>(method: string, promise: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
    if (!isCallback(callback)) return new StorePromise(promise, (err) => this.#unheard(method, err))
    callBack(promise, callback)
    return promise
  }

  #unheard(method: string, err: unknown): void {
    const message = `store.${method}() failed with ${nameOf(err)}, and nobody has asked: pass a callback, or await it`
    this.#context.announcer.announce('warning', { code: 'failure-unheard', message })
  }
}

/** @throws TypeError if the value is no object */
function assertSession(method: string, session: unknown): void {
  if (typeof session === 'object' && session !== null) return
  const given = session === null ? 'null' : typeof session
  throw new TypeError(`${method}(sid, session) takes a session object, not ${given}; destroy(sid) ends a session`)
}
