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
 * Notices that a session gets another user where no response can bring the visitor a new id: by `patch`, or a `set` outside a request
 * of `rotateOnLogin`, as over a socket. Whoever has planted the id is then logged in (session fixation). Tells once for each store.
 */
export class OutsideLogin {
  /** That of `rotateOnLogin`, from its first request on. */
  principal: Principal | undefined
  readonly #context: Context
  #isTold = false

  constructor(context: Context) {
    this.#context = context
  }

  /** Before properties are changed. HGETALL, but only if they name a user; undefined if there is nothing to look at. */
  beforePatch(storedIds: readonly string[], changes: Readonly<Record<string, unknown>>): Promise<void> | undefined {
    const principal = this.principal ?? this.#context.options.indexes.find(([name]) => name === 'user')?.[1]
    if (this.#isTold || principal === undefined || userIn(principal, changes) === undefined) return undefined
    return loadFirst(this.#context, storedIds).then((loaded) => {
      if (loaded !== null) this.#compare('patch', principal, loaded.session, { ...loaded.session, ...changes })
    })
  }

  /**
   * Before a session is saved that belongs to no request of `rotateOnLogin`. HGETALL of plain data with a user, if it was not loaded.
   *
   * @param record what is known of the session, if anything
   */
  beforeSet(
    storedIds: readonly string[],
    session: AnySession,
    record: SessionRecord | undefined,
  ): Promise<void> | undefined {
    const { principal } = this
    if (this.#isTold || principal === undefined || userIn(principal, session) === undefined) return undefined
    // The id of a session that its request has made itself is known to nobody.
    if (record === undefined ? 'req' in session : !record.isLoaded) return undefined
    return this.#held(storedIds, session, record).then((held) => {
      if (held !== null) this.#compare('set', principal, held, session)
    })
  }

  /** What Redis holds; null if that is no session. */
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

  #compare(method: 'patch' | 'set', principal: Principal, before: AnySession, after: AnySession): void {
    const user = userIn(principal, after)
    if (this.#isTold || user === undefined || user === userIn(principal, before)) return
    this.#isTold = true
    const message = `store.${method}() has given a session another user, and ${CHANGED_OUTSIDE}`
    this.#context.announcer.announce('warning', { code: 'principal-changed-outside', message })
  }
}

/** Undefined for nobody, and for what `rotateOnLogin` would refuse. */
function userIn(principal: Principal, session: AnySession | Readonly<Record<string, unknown>>): string | undefined {
  try {
    return identityOf(principal(session as AnyContent)) || undefined
  } catch {
    return undefined
  }
}

const CHANGED_OUTSIDE =
  'its id stays, so that whoever has planted or read it before is logged in as well (session fixation). Log in with an HTTP ' +
  'request, whose response brings a new id, and let sockets connect again'
