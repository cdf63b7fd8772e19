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

interface LiveSession {
  cookie?: unknown
  touch(): unknown
}

/** Makes the session objects of one store safe for express-session to hash and touch. */
export class LiveSessions {
  readonly #toJSON: PropertyDescriptor

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
  }

  /** @param session made by express-session for a request */
  guard(session: object): void {
    this.guardData(session)
    Object.defineProperty(session, 'touch', TOUCH)
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

const TOUCH = touchMethod(function touch(this: LiveSession): unknown {
  convertExpires(this.cookie)
  try {
    return (Object.getPrototypeOf(this) as LiveSession).touch.call(this)
  } catch {
    return this
  }
})

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
