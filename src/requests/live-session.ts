import type { Session } from 'express-session'
import { fieldOf, isProperty } from '../hash/field-name.js'
import { convertExpires } from '../hash/live-cookie.js'
import { type Serializer, serialising, toText } from '../hash/serializer.js'

/*
 * express-session's handling of a session inside `res.end` must not throw. By then it has recorded that the response
 * has ended, so the error page is not sent, and the visitor waits for ever. Two operations may throw:
 *
 * - it hashes JSON.stringify(session), which throws for a BigInt, a circular structure, or a getter that throws;
 * - it calls session.touch(), which throws for a cookie whose maxAge is not a number.
 *
 * The methods defined here do not throw. The save that follows reports the problem with a coded error, or there is
 * no problem if the serializer supports BigInt.
 */

/** Maximum depth and size of a session for the quick check. */
const MAX_DEPTH = 100
const MAX_VALUES = 10_000

/** A method of session objects that takes the place of `own`'s, the prototype of the host that made them. */
export type MethodOf = (own: Session) => PropertyDescriptor

/**
 * Gives the session objects of one store methods of their own: `toJSON` and `touch`, with which express-session can hash
 * and touch them safely, and those that are added. The methods lie in a prototype between the objects and that of
 * express-session, because defining them on each object takes longer than making it.
 */
export class LiveSessions {
  readonly #toJSON: PropertyDescriptor
  readonly #methods = new Map<string, MethodOf>()
  /** By the prototype of express-session, which an application may have in several versions. */
  #prototypes = new WeakMap<object, object>()
  /** From each prototype that was made here to that of express-session. */
  readonly #own = new WeakMap<object, object>()

  constructor(serializer: Serializer) {
    const toJSON = function (this: object): object {
      return serialising.isUnderWay || isJson(this) ? this : standIn(this, serializer)
    }
    this.#toJSON = {
      configurable: true,
      enumerable: false,
      get: () => toJSON,
      // If the application has a property of this name, it is stored like any other.
      set(this: object, value: unknown) {
        Object.defineProperty(this, 'toJSON', { configurable: true, enumerable: true, writable: true, value })
      },
    }
    this.add('touch', safeTouch)
  }

  /** Adds a method to the sessions that are equipped from now on. */
  add(name: string, method: MethodOf): void {
    this.#methods.set(name, method)
    this.#prototypes = new WeakMap()
  }

  /**
   * Prepares every session object that a request gets.
   *
   * @param session made by express-session
   */
  equip(session: object): void {
    const given = Object.getPrototypeOf(session) as object
    const own = this.#own.get(given) ?? given
    const prototype = this.#prototypes.get(own) ?? this.#prototypeOver(own)
    if (prototype !== given) Object.setPrototypeOf(session, prototype)
  }

  #prototypeOver(own: object): object {
    const prototype = Object.create(own) as object
    if (!('toJSON' in own)) Object.defineProperty(prototype, 'toJSON', this.#toJSON)
    for (const [name, method] of this.#methods) Object.defineProperty(prototype, name, method(own as Session))
    this.#prototypes.set(own, prototype)
    this.#own.set(prototype, own)
    return prototype
  }

  /** @param data loaded data that express-session hashes */
  guardData(data: object): void {
    if (!('toJSON' in data)) Object.defineProperty(data, 'toJSON', this.#toJSON)
  }
}

/**
 * Defines a session's `touch` method, which express-session calls inside `res.end`. Only another function may
 * replace it, because a visitor may be able to choose the name of a property that the application sets.
 */
export function touchMethod(touch: (this: never) => unknown): PropertyDescriptor {
  return {
    configurable: true,
    enumerable: false,
    get: () => touch,
    set(this: object, value: unknown) {
      if (typeof value !== 'function') {
        throw new TypeError('session property "touch" cannot be set: express-session has a method of that name')
      }
      Object.defineProperty(this, 'touch', touchMethod(value as typeof touch))
    },
  }
}

function safeTouch(own: Session): PropertyDescriptor {
  return touchMethod(function touch(this: Session): unknown {
    convertExpires(this.cookie)
    try {
      return own.touch.call(this)
    } catch {
      return this
    }
  })
}

/**
 * Whether JSON.stringify does not throw for the properties of a session. The cookie is skipped, because
 * express-session does not hash it.
 */
function isJson(session: object): boolean {
  valuesLeft = MAX_VALUES
  try {
    return Object.keys(session).every(
      (property) => property === 'cookie' || isFine((session as Record<string, unknown>)[property], 0),
    )
  } catch {
    return false
  }
}

let valuesLeft = 0

/**
 * Checks most values without serializing them. Values that are too large or too deep, class instances, and values
 * with their own toJSON are serialized to find out.
 */
function isFine(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'bigint' || canStringify(value)
  if (value instanceof Date) return true
  if (depth > MAX_DEPTH || valuesLeft < 0 || !isPlain(value)) return canStringify(value)
  const inner = Array.isArray(value) ? value : Object.values(value)
  valuesLeft -= inner.length
  return inner.every((one) => isFine(one, depth + 1))
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  const isOrdinary = prototype === Object.prototype || prototype === Array.prototype || prototype === null
  return isOrdinary && (value as { toJSON?: unknown }).toJSON === undefined
}

function canStringify(value: unknown): boolean {
  try {
    toText(JSON, '', value)
    return true
  } catch {
    return false
  }
}

let unsaveable = 0

/**
 * Returns what is hashed instead of a session that is not valid JSON. Equal content gives an equal result, except
 * that a value that cannot be saved gives a different result each time.
 */
function standIn(session: object, serializer: Serializer): object {
  const texts: Record<string, string> = {}
  for (const property of Object.keys(session).filter(isProperty)) {
    try {
      texts[fieldOf(property)] = String(toText(serializer, property, (session as Record<string, unknown>)[property]))
    } catch {
      unsaveable += 1
      texts[fieldOf(property)] = `unsaveable ${unsaveable}`
    }
  }
  return texts
}
