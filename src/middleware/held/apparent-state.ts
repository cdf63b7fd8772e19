import type { ServerResponse } from 'node:http'
import type { HeldCalls } from './held-calls.js'
import { SETTERS } from './shadow-setters.js'

/**
 * Makes a held response look to the application as it would without the hold: `headersSent` is true, and
 * `writableEnded` is true once the application has called `end`. An error handler that finds `headersSent` false would
 * write a second response.
 */
export class ApparentState {
  readonly #res: ServerResponse
  readonly #own = new Map<string, PropertyDescriptor | undefined>()

  constructor(res: ServerResponse, calls: HeldCalls) {
    this.#res = res
    this.#shadow('headersSent', { get: () => true })
    this.#shadow('writableEnded', { get: () => calls.isEnded })
    // compression before 1.8, which Next includes, reads this property.
    if (Object.hasOwn(res, '_header')) this.#shadow('_header', { get: () => 'held' })
    for (const name of SETTERS) {
      if (typeof (res as Partial<ServerResponse>)[name] === 'function') this.#shadow(name, { value: refuse })
    }
  }

  end(): void {
    for (const [name, descriptor] of this.#own) {
      if (descriptor === undefined) Reflect.deleteProperty(this.#res, name)
      else Object.defineProperty(this.#res, name, descriptor)
    }
    this.#own.clear()
  }

  #shadow(name: string, descriptor: PropertyDescriptor): void {
    this.#own.set(name, Object.getOwnPropertyDescriptor(this.#res, name))
    Object.defineProperty(this.#res, name, { ...descriptor, configurable: true })
  }
}

/** Whether the head has really left, regardless of what a `ApparentState` makes the application see. */
export function isHeadOut(res: ServerResponse): boolean {
  return Boolean(Reflect.get(Object.getPrototypeOf(res) as object, 'headersSent', res))
}

function refuse(): never {
  throw Object.assign(new Error('Cannot set headers after they are sent to the client'), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}
