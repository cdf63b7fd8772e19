import type { ServerResponse } from 'node:http'

/** The methods that throw in Node once the head is out. */
export const SETTERS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const

type Setter = (this: ServerResponse, ...args: unknown[]) => unknown

/**
 * Makes the setters of status and headers work for some callers only. For all others the response looks sent. Their
 * calls do nothing instead of throwing, because the caller may have no way to catch an error.
 *
 * @param isHeard whether the code that is running may set the head
 */
export function shadowSetters(res: ServerResponse, isHeard: () => boolean): void {
  for (const name of SETTERS) {
    const set = Reflect.get(res, name) as Setter | undefined
    if (set === undefined) continue
    const value = (...args: unknown[]) => (isHeard() ? set.apply(res, args) : res)
    Object.defineProperty(res, name, { configurable: true, writable: true, value })
  }
  for (const name of ['headersSent', 'writableEnded']) {
    const own = inherited(res, name)
    Object.defineProperty(res, name, { configurable: true, get: () => !isHeard() || own.get() })
  }
  // HTTP/2 has no status message, and Node prints a warning when it is read.
  for (const name of 'createPushResponse' in res ? ['statusCode'] : ['statusCode', 'statusMessage']) {
    const own = inherited(res, name)
    Object.defineProperty(res, name, {
      configurable: true,
      enumerable: true,
      get: own.get,
      set: (value: unknown) => {
        if (isHeard()) own.set(value)
      },
    })
  }
}

/** Access to a property below its shadow: to the accessor of the prototype, or to a plain value. */
function inherited(res: object, name: string): { get(): unknown; set(value: unknown): void } {
  for (let of = res; of !== null; of = Object.getPrototypeOf(of) as object) {
    const found = Object.getOwnPropertyDescriptor(of, name)
    if (found === undefined) continue
    if (found.get !== undefined) return { get: () => found.get?.call(res), set: (value) => found.set?.call(res, value) }
    break
  }
  let held = (res as Record<string, unknown>)[name]
  return {
    get: () => held,
    set(value) {
      held = value
    },
  }
}
