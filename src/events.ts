import { channel } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'
import { handleOf } from './ids/handle.js'
import { WARNINGS, type WarningCode } from './warnings.js'

/**
 * Why a session ended. `destroyed`: the application ended it. `expired`: its time was over. `reuse`: a stolen id came
 * back (`renewSession`). `revoked`: by `destroyBy`. `evicted`: by `limit`. `invalid`: by `validate`. `mismatch`: by
 * `bindClient`.
 */
export type DestroyReason = 'destroyed' | 'expired' | 'reuse' | 'revoked' | 'evicted' | 'invalid' | 'mismatch'

const REASONS: Readonly<Record<DestroyReason, true>> = {
  destroyed: true,
  expired: true,
  reuse: true,
  revoked: true,
  evicted: true,
  invalid: true,
  mismatch: true,
}

/** Reads a stored reason. `destroyed` for what is none that this version knows. */
export function asDestroyReason(text: string | undefined): DestroyReason {
  return text !== undefined && Object.hasOwn(REASONS, text) ? (text as DestroyReason) : 'destroyed'
}

/** The payload that all events of a session share. */
export interface SessionEvent {
  /** Public name of the session, never its id. */
  handle: string
}

/** What a person has done, or tried to do, with `adminRouter`. */
export interface AuditEntry {
  /** When it happened. */
  at: Date
  /** What `authorize` returned; undefined if it admitted nobody. */
  who: unknown
  /** What the request asked for. `end-by`: to end all sessions of an index value. */
  action: 'list' | 'show' | 'end' | 'end-by' | 'end-all' | 'stats' | 'activity' | 'events' | 'health'
  /**
   * `done`. `begun`: the router ends so many sessions that the answer did not wait; another entry follows. `refused`:
   * not allowed. `failed`: not found, or an error.
   */
  outcome: 'done' | 'begun' | 'refused' | 'failed'
  /** Why the router refused it or failed: an error code, or a word. */
  why?: string
  /** The session that the request asked for. */
  handle?: string
  /** The index that the request asked for. */
  index?: string
  /** The value in that index. */
  value?: string
  /** How many sessions have ended. */
  ended?: number
}

/**
 * The payload of each event. None contains a session id, a Redis key or session data; names of properties may appear.
 * The store publishes each event on `node:diagnostics_channel` as well, as `connect-redis-hash:<name>`.
 */
export interface SessionEvents {
  /** The store has written a session for the first time, or replaced it with a plain `set`. */
  created: SessionEvent
  /** The store has written changes of an existing session. `fields`: number of hash fields. */
  saved: SessionEvent & { fields: number }
  /** This store has ended a session. */
  destroyed: SessionEvent & { reason: DestroyReason }
  /**
   * A session has ended, in this process or, with the `broadcast` option, in another one. `rotated`: it continues under
   * another id, and this id is invalid. Emitted at most once; messages are lost while a connection is broken.
   */
  ended: SessionEvent & { reason: DestroyReason | 'rotated' }
  /**
   * A session has got a new id. `reason`: `login`, `switch` (of the user) or `logout` by `rotateOnLogin`; the `reason`
   * of `rotateSession` (default `demand`); `adopted` by `acceptFrom`. `handle` is that of the new session.
   */
  rotated: SessionEvent & { previousHandle: string; reason: string }
  /** A session has got its next id because the previous one was old enough (`renewSession`). */
  renewed: SessionEvent
  /**
   * A request has brought an id that was replaced long before. The id was stolen, so the store has ended the session.
   */
  reuse: SessionEvent
  /** The store has ended a session because there were more than `limit` allows. */
  evicted: SessionEvent
  /** A write found that its session had ended meanwhile, and wrote nothing. */
  refused: SessionEvent & { operation: 'save' | 'touch' | 'patch' | 'increment' | 'setPath' }
  /**
   * Another request has changed the same properties between load and save, and this save has overwritten them. `path`,
   * only with the `merge` option: the place in a merged property, as its name and the keys that lead to the value.
   */
  conflict: SessionEvent & { properties: string[]; path?: string[] }
  /**
   * A key could not be read as a session. The session counts as absent, and the key is left unchanged. `reason`: the
   * `type` of the key, its `bookkeeping`, or a `field`, which is that of `property`.
   */
  corrupt: SessionEvent & { reason: 'type' | 'bookkeeping' | 'field'; property?: string }
  /**
   * A client has used a session that is bound to another one (`bindClient`). `verdict`: what differs; `action`: what
   * `bindClient` did.
   */
  mismatch: SessionEvent & {
    verdict: 'network' | 'client' | 'both'
    action: 'observe' | 'reauthenticate' | 'destroy'
  }
  /** A browser has registered the key to which the session is bound from now on (`bindDevice`). */
  bound: SessionEvent
  /**
   * A request of a bound session came without a valid bound cookie (`bindDevice`): from a thief, or from a browser that
   * could not refresh the cookie. `skipped`: the browser's reason why it did not refresh.
   */
  unbound: SessionEvent & { skipped?: 'unreachable' | 'server_error' | 'quota_exceeded' }
  /**
   * Somebody has tried to prove that they are the device of a session (`bindDevice`), and was refused. `reason`: the
   * `key` is another one, or the `signature` is wrong.
   */
  'device-mismatch': SessionEvent & { reason: 'key' | 'signature' }
  /** Somebody has looked at sessions, has ended some, or was refused (`adminRouter`). */
  audit: AuditEntry
  /**
   * Redis has stopped answering. `code`: that of the error. In a Cluster: the first of its masters has stopped
   * answering; `master` is its `host:port`.
   */
  unavailable: { code: string; master?: string }
  /** Redis answers again; in a Cluster, all masters do. `downMs`: milliseconds since `unavailable`. */
  available: { downMs: number }
  /**
   * Something works less well than configured. `code`: see "Warnings". Only for an additional connection that goes down
   * or comes back: `kind`, the option that uses it, and `since`, when it went down.
   */
  warning: PlainWarning | SideConnectionWarning
}

export interface PlainWarning {
  code: Exclude<WarningCode, SideConnectionWarning['code']>
  message: string
}

/** The option for which the store opens an additional connection, beside the client's. */
export type SideConnectionKind = 'cache' | 'broadcast' | 'replicas'

/** Emitted once when connections of a kind go down, and once when all of them are back. */
interface SideConnectionWarning {
  code: 'side-connection-down' | 'side-connection-up'
  message: string
  kind: SideConnectionKind
  /** When it went down. */
  since: Date
}

/** The names of the events. */
export type SessionEventName = keyof SessionEvents

export const EVENT_NAMES: readonly SessionEventName[] = Object.keys({
  created: 0,
  saved: 0,
  destroyed: 0,
  ended: 0,
  rotated: 0,
  renewed: 0,
  reuse: 0,
  evicted: 0,
  refused: 0,
  conflict: 0,
  corrupt: 0,
  mismatch: 0,
  bound: 0,
  unbound: 0,
  'device-mismatch': 0,
  audit: 0,
  unavailable: 0,
  available: 0,
  warning: 0,
} satisfies Record<SessionEventName, 0>) as SessionEventName[]

const CHANNELS = Object.fromEntries(EVENT_NAMES.map((name) => [name, channel(`connect-redis-hash:${name}`)])) as Record<
  SessionEventName,
  ReturnType<typeof channel>
>

function printUnheard(emitter: EventEmitter, { code, message }: SessionEvents['warning']): void {
  if (!WARNINGS[code] || emitter.listenerCount('warning') > 0 || CHANNELS.warning.hasSubscribers) return
  process.emitWarning(message, { type: 'SessionStoreWarning', code })
}

/**
 * Emits an event. An exception of a listener must not fail the request, whose session is already done with, so it is
 * rethrown outside.
 */
export function emitSafely(emitter: EventEmitter, name: string, ...args: unknown[]): void {
  try {
    emitter.emit(name, ...args)
  } catch (err) {
    process.nextTick(() => {
      throw err
    })
  }
}

/** A session that has ended in this process, or has left its id. */
export interface EndedSession {
  storedId: string
  handle: string
  reason: SessionEvents['ended']['reason']
}

/** Counts, emits and publishes events. */
export class Announcer {
  readonly counters: Record<SessionEventName, number>
  /** Kinds of additional connections that are down (redis/side-health.ts). */
  readonly sidesDown = new Set<SideConnectionKind>()
  /** Called for every session that ends in this process or leaves its id, even if nobody listens to the events. */
  onEnded: ((ended: EndedSession) => void) | undefined
  readonly #emitter: EventEmitter
  readonly #warned = new Set<string>()

  constructor(emitter: EventEmitter) {
    this.#emitter = emitter
    this.counters = Object.fromEntries(EVENT_NAMES.map((name) => [name, 0])) as Record<SessionEventName, number>
  }

  /** Announces that a session has been ended. */
  announceEnd(storedId: string, reason: DestroyReason): void {
    const handle = handleOf(storedId)
    this.announce('destroyed', { handle, reason })
    this.onEnded?.({ storedId, handle, reason })
  }

  /** Announces that a session goes on under another id. */
  announceRotation(from: string, to: string, reason: string): void {
    const previousHandle = handleOf(from)
    this.announce('rotated', { handle: handleOf(to), previousHandle, reason })
    this.onEnded?.({ storedId: from, handle: previousHandle, reason: 'rotated' })
  }

  /** Announces an event for a stored id. Computes the handle only if someone listens: hashing costs as much as a read. */
  announceOf<E extends 'created' | 'saved' | 'refused'>(
    storedId: string,
    name: E,
    more: Omit<SessionEvents[E], 'handle'>,
  ): void {
    if (this.#emitter.listenerCount(name) === 0 && !CHANNELS[name].hasSubscribers) this.counters[name] += 1
    else this.announce(name, { handle: handleOf(storedId), ...more } as SessionEvents[E])
  }

  /** Emits a `warning` once for something that many requests will run into. */
  warnOnce(code: PlainWarning['code'], message: string): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    this.announce('warning', { code, message })
  }

  announce<E extends SessionEventName>(name: E, payload: SessionEvents[E]): void {
    this.counters[name] += 1
    if (name === 'warning') printUnheard(this.#emitter, payload as SessionEvents['warning'])
    emitSafely(this.#emitter, name, payload)
    const published = CHANNELS[name]
    if (published.hasSubscribers) published.publish(payload)
  }
}
