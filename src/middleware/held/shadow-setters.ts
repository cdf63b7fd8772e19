import type { ServerResponse } from 'node:http'

/** What Node refuses once the head is out. */
export const SETTERS = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader'] as const

type Setter = (this: ServerResponse, ...args: unknown[]) => unknown

/**
 * Makes what sets the head of a response heed only some of those who call it. To the others the response is out already, as they have
 * sent it; nothing is thrown at them, as they may have nobody to catch it.
 *
 * @param isHeard of the code that is running
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
  // HTTP/2 has no message, and warns whoever asks.
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

/** A property as it is without its shadow: of the prototype, or a value of its own. */
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
