import { propertyOf } from '../hash/field-name.js'
import { identityOf } from '../hash/identity.js'
import { fromText } from '../hash/serializer.js'
import type { AnyContent } from '../hash/session-content.js'
import type { AnySession } from '../hash/session-data.js'
import type { Context } from '../session/context.js'
import { loadFirst } from '../session/load.js'
import type { SessionRecord } from '../session/session-record.js'
import type { Principal } from './principal.js'

/**
 * Detects that a session gets another user when no response can bring the visitor a new id: by `patch`, or by a
 * `set` outside a request of `rotateOnLogin`, for example over a socket. An attacker who has planted the id is then
 * logged in (session fixation). Warns once per store.
 */
export class OutsideLogin {
  /** The principal of `rotateOnLogin`, from its first request on. */
  principal: Principal | undefined
  readonly #context: Context
  #isTold = false

  constructor(context: Context) {
    this.#context = context
  }

  /**
   * Checks a patch before it is applied. Costs HGETALL, but only if the changes name a user. Returns undefined if
   * there is nothing to check.
   */
  beforePatch(
    storedIds: readonly string[],
    changes: Readonly<Record<string, unknown>>,
    method: 'patch' | 'setPath' = 'patch',
  ): Promise<void> | undefined {
    const principal = this.principal ?? this.#context.options.indexes.find(([name]) => name === 'user')?.[1]
    if (this.#isTold || principal === undefined || userIn(principal, changes) === undefined) return undefined
    return loadFirst(this.#context, storedIds).then((loaded) => {
      if (loaded !== null) this.#compare(method, principal, loaded.session, { ...loaded.session, ...changes })
    })
  }

  /**
   * Checks a session before it is saved, if it belongs to no request of `rotateOnLogin`. Costs HGETALL for plain
   * data with a user that was not loaded.
   *
   * @param record the record of the session, if there is one
   */
  beforeSet(
    storedIds: readonly string[],
    session: AnySession,
    record: SessionRecord | undefined,
  ): Promise<void> | undefined {
    const { principal } = this
    if (this.#isTold || principal === undefined || userIn(principal, session) === undefined) return undefined
    // If the request itself has created the session, nobody else knows its id.
    if (record === undefined ? 'req' in session : !record.isLoaded) return undefined
    return this.#held(storedIds, session, record).then((held) => {
      if (held !== null) this.#compare('set', principal, held, session)
    })
  }

  /** Returns the session as Redis holds it; null if there is none. */
  async #held(
    storedIds: readonly string[],
    session: AnySession,
    record: SessionRecord | undefined,
  ): Promise<AnySession | null> {
    if (record === undefined) return (await loadFirst(this.#context, storedIds))?.session ?? null
    const held: Record<string, unknown> = { cookie: (session as AnyContent).cookie }
    for (const [field, text] of record.fields) {
      const property = propertyOf(field)
      if (property !== undefined) held[property] = await fromText(this.#context.options.serializer, text)
    }
    return held
  }

  #compare(method: 'patch' | 'setPath' | 'set', principal: Principal, before: AnySession, after: AnySession): void {
    const user = userIn(principal, after)
    if (this.#isTold || user === undefined || user === userIn(principal, before)) return
    this.#isTold = true
    const message = `store.${method}() has given a session another user, and ${CHANGED_OUTSIDE}`
    this.#context.announcer.announce('warning', { code: 'principal-changed-outside', message })
  }
}

/** Returns undefined if there is no user, or for a value that `rotateOnLogin` would refuse. */
function userIn(principal: Principal, session: AnySession | Readonly<Record<string, unknown>>): string | undefined {
  try {
    return identityOf(principal(session as AnyContent)) || undefined
  } catch {
    return undefined
  }
}

const CHANGED_OUTSIDE =
  'its id stays, so anybody who has planted or read it before is logged in as well (session fixation). Log in with an HTTP ' +
  'request, whose response brings a new id, and let sockets connect again'
