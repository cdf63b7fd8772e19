import { fieldOf, isProperty } from '../hash/field-name.js'
import { convertExpires } from '../hash/live-cookie.js'
import { type Serializer, serialising, toText } from '../hash/serializer.js'

/*
 * What express-session does with a session inside `res.end` must not throw there: it has noted already that the response has
 * ended, so the error page does not get out, and the visitor waits for ever. Two things may:
 *
 * - it takes a hash of JSON.stringify(session), which throws over a BigInt, a circular structure, a getter that throws;
 * - it calls session.touch(), which throws over a cookie whose maxAge is no number.
 *
 * Here neither does. The save that follows says what is wrong, with a coded error; or there is nothing wrong, with a serializer
 * that keeps a BigInt.
 */

/** How deep and how large a session may be to be judged at a glance. */
const MAX_DEPTH = 100
const MAX_VALUES = 10_000

interface LiveSession {
  cookie?: unknown
  touch(): unknown
}

/** Of one store. Makes session objects that express-session can hash and touch without an exception. */
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
      // A property of the application like any other, should it have one of that name.
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

  /** @param data that express-session hashes as it was loaded */
  guardData(data: object): void {
    if (!('toJSON' in data)) Object.defineProperty(data, 'toJSON', this.#toJSON)
  }
}

/**
 * `touch` of a session, which express-session calls inside `res.end`. Only another function may replace it: a visitor may choose
 * the name of a property that the application sets.
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

/** Whether JSON.stringify will not throw over the properties of a session; express-session leaves the cookie out. */
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

/** Tells most at a glance. What is too large or too deep for that, an instance, or makes its own JSON, is tried out. */
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

/** What is hashed in place of a session that is no JSON: the same for the same content, and never the same for what cannot be saved. */
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
