import { LEVEL_FIELD, LOGIN_FIELD } from '../hash/bookkeeping.js'
import { levelText, parseLevel } from '../hash/level-field.js'
import type { StoreAccess } from '../requests/store-access.js'
import { loginAgeMs } from './login-time.js'
import { type SessionRequest, storeAccessOf } from './session-request.js'

/** What `requireFreshLogin` asks for where it names no level. */
const defaults = new WeakMap<StoreAccess, number>()

export function setDefaultLevel(store: StoreAccess, level: number): void {
  defaults.set(store, level)
}

/** @param level of the option; undefined: the default of the store */
export function neededLevel(store: StoreAccess, level: number | undefined): number {
  return level ?? defaults.get(store) ?? 1
}

/** The level of a session, and the milliseconds since it was proved. */
export interface SessionLevel {
  level: number
  methods: readonly string[]
  ageMs: number
}

/**
 * Reads the level of a session. One whose login counts as stale, because it comes from another client or with a replaced id,
 * keeps no higher level than that of a login.
 */
export function sessionLevel(store: StoreAccess, session: object): SessionLevel {
  const ageMs = loginAgeMs(store, session)
  const hasLoggedIn = Boolean(store.fields.marked(session, LOGIN_FIELD))
  if (!Number.isFinite(ageMs)) return { level: hasLoggedIn ? 1 : 0, methods: [], ageMs }
  const proven = parseLevel(store.fields.marked(session, LEVEL_FIELD))
  if (proven === null) return { level: 1, methods: [], ageMs }
  return { level: proven.level, methods: proven.methods, ageMs: Date.now() - proven.sinceMs }
}

/**
 * Gives a request `sessionLevel` and `sessionMethods`. They are read from its session each time, so that no handler takes
 * the level of a session for that of the next one, or of none.
 */
export function tellLevel(req: SessionRequest): void {
  Object.defineProperties(req, TOLD)
}

const TOLD = {
  sessionLevel: told('sessionLevel', ({ level }) => level),
  sessionMethods: told('sessionMethods', ({ methods }) => methods),
}

function told(name: string, pick: (now: Pick<SessionLevel, 'level' | 'methods'>) => unknown): PropertyDescriptor {
  return {
    configurable: true,
    enumerable: true,
    get(this: SessionRequest) {
      const store = storeAccessOf(this)
      return pick(this.session && store ? sessionLevel(store, this.session) : { level: 0, methods: [] })
    },
    // The application may have a property of this name.
    set(this: SessionRequest, value: unknown) {
      Object.defineProperty(this, name, { configurable: true, enumerable: true, writable: true, value })
    },
  }
}

/** Makes the text of the field for a user who proves a level now. */
export function levelNow(level: number, methods: readonly string[] = []): string {
  return levelText({ level, methods, sinceMs: Date.now() })
}

/** Copies the level to a session that continues another one with the same user. */
export function carryOverLevel({ fields }: StoreAccess, from: object, to: object): void {
  const text = fields.marked(from, LEVEL_FIELD)
  if (text) fields.mark(to, LEVEL_FIELD, text)
}

/** Forgets the level of a session that has got another user. */
export function forgetLevel({ fields }: StoreAccess, session: object): void {
  if (fields.marked(session, LEVEL_FIELD)) fields.mark(session, LEVEL_FIELD, '')
}
