import session, { type SessionData, type Store } from 'express-session'
import type { Differences } from '../differences.js'

/** Plain session data, as `get` resolves it. */
export type Data = Record<string, unknown> & { cookie?: Record<string, unknown> }
/** A session of a request, with any properties. */
export type LiveSession = session.Session & Record<string, unknown>

type Callback<T> = (err?: unknown, value?: T) => void

const Cookie = session.Cookie as unknown as new (options?: session.CookieOptions) => session.Cookie

/** The store of the current test, which is called with callbacks as express-session does. */
export class Subject {
  readonly is: Differences
  store!: Store
  #calls: { count: number; method: string }[] = []

  constructor(differences: Differences) {
    this.is = differences
  }

  use(store: Store): void {
    this.store = store
    this.#calls = []
  }

  get(sid: string): Promise<Data | null | undefined> {
    return this.#once('get', (cb: Callback<Data | null>) => this.store.get(sid, cb as never))
  }

  set(sid: string, data: Data | LiveSession): Promise<void> {
    return this.#once('set', (cb: Callback<void>) => this.store.set(sid, data as unknown as SessionData, cb))
  }

  touch(sid: string, data: Data | LiveSession): Promise<void> {
    return this.#once('touch', (cb: Callback<void>) => this.store.touch?.(sid, data as unknown as SessionData, cb))
  }

  destroy(sid: string): Promise<void> {
    return this.#once('destroy', (cb: Callback<void>) => this.store.destroy(sid, cb))
  }

  all(): Promise<Data[] | Record<string, Data>> {
    return this.#once('all', (cb: Callback<Data[] | Record<string, Data>>) => this.store.all?.(cb as never))
  }

  length(): Promise<number> {
    return this.#once('length', (cb: Callback<number>) => this.store.length?.(cb as never))
  }

  clear(): Promise<void> {
    return this.#once('clear', (cb: Callback<void>) => this.store.clear?.(cb))
  }

  load(sid: string): Promise<LiveSession | undefined> {
    return this.#once('load', (cb: Callback<LiveSession>) => this.store.load(sid, cb as never))
  }

  /** Makes a session as express-session does for a new request. */
  live(sid: string, properties: Record<string, unknown> = {}, cookie: session.CookieOptions = {}): LiveSession {
    const made = this.store.createSession(
      { sessionID: sid, sessionStore: this.store } as never,
      { cookie: {} } as never,
    )
    made.cookie = new Cookie(cookie)
    return Object.assign(made as unknown as LiveSession, properties)
  }

  assertCalledOnce(): void {
    expect(this.#calls.filter(({ count }) => count !== 1)).toEqual([])
  }

  #once<T>(method: string, run: (callback: Callback<T>) => unknown): Promise<T> {
    const call = { count: 0, method }
    this.#calls.push(call)
    return new Promise((resolve, reject) => {
      run((err, value) => {
        call.count += 1
        if (err) reject(err)
        else resolve(value as T)
      })
    })
  }
}

/** Converts a value to JSON and back, as a store does. */
export function asJson<T>(value: T): unknown {
  return JSON.parse(JSON.stringify(value))
}
