import type { DestroyReason } from '../events.js'
import type { Guard, NewSession, SessionRequest } from './store-access.js'

/** What middleware has asked the store to do for individual requests. */
export class RequestHooks {
  readonly #guards = new WeakMap<object, readonly Guard[]>()
  readonly #newSession = new WeakMap<object, readonly NewSession[]>()
  readonly #endReasons = new WeakMap<object, DestroyReason>()

  guard(req: SessionRequest, guard: Guard): void {
    this.#guards.set(req, [...(this.#guards.get(req) ?? []), guard])
  }

  hasGuard(req: object | undefined): boolean {
    return req !== undefined && this.#guards.has(req)
  }

  /**
   * Runs the guards of the request that this session belongs to. Resolves to the request, whose session must be
   * saved instead.
   */
  beforeSave(session: object): Promise<SessionRequest> | undefined {
    const req = requestOf(session)
    const guards = req && this.#guards.get(req)
    return guards && runGuards(guards)?.then(() => req)
  }

  onNewSession(req: SessionRequest, callback: NewSession): void {
    this.#newSession.set(req, [...(this.#newSession.get(req) ?? []), callback])
  }

  hasNewSession(req: SessionRequest, session: object, from: object | undefined): void {
    for (const callback of this.#newSession.get(req) ?? []) callback(session, from)
  }

  hasLoggedIn(session: object): void {
    const req = requestOf(session)
    if (req !== undefined) this.hasNewSession(req, session, undefined)
  }

  nameEnd(req: SessionRequest, reason: DestroyReason): void {
    this.#endReasons.set(req, reason)
  }

  /** Returns the reason for which the next `regenerate` of this request ends its session. */
  takeEndReason(req: object): DestroyReason {
    const reason = this.#endReasons.get(req) ?? 'destroyed'
    this.#endReasons.delete(req)
    return reason
  }
}

/** Returns the request that express-session has made a session for; undefined for plain data. */
export function requestOf(session: object): SessionRequest | undefined {
  // Plain data may have a property of that name with any value.
  const { req } = session as { req?: unknown }
  return typeof req === 'object' && req !== null ? (req as SessionRequest) : undefined
}

/** Runs guards in order. It stays synchronous as long as no guard has anything to do. */
function runGuards([guard, ...rest]: readonly Guard[]): Promise<void> | undefined {
  if (guard === undefined) return undefined
  const pending = guard()
  return pending === undefined ? runGuards(rest) : pending.then(() => runGuards(rest))
}
