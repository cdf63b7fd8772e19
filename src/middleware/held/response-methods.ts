import type { ServerResponse } from 'node:http'
import { isHttp2 } from './response-head.js'

/** All methods that can make a header or a byte leave. The package compression adds `flush`. */
const METHODS = ['writeHead', 'write', 'end', 'flushHeaders', 'flush'] as const
export type Method = (typeof METHODS)[number]

type AnyFunction = (...args: unknown[]) => unknown
type Methods = Partial<Record<Method | 'on', AnyFunction>>

/** The methods of a response at one moment: Node's own, or wrappers of packages that came earlier. */
export class ResponseMethods {
  readonly #res: ServerResponse
  readonly #methods: Methods
  #isBypassed = false
  /**
   * Listeners of `drain`. Kept only if a package has wrapped `on`, because the response's own events may not reach them
   * then.
   */
  #waiting: AnyFunction[] | undefined

  constructor(res: ServerResponse) {
    this.#res = res
    const { writeHead, write, end, flushHeaders, flush, on } = res as Methods
    this.#methods = { writeHead, write, end, flushHeaders, flush, on } as Methods
    if (Object.hasOwn(res, 'on')) this.#noteWhoWaits()
  }

  /** From now on, a call of one of the response's methods calls `called` instead. */
  takeOver(called: (method: Method, args: unknown[]) => unknown): void {
    for (const method of METHODS) {
      if (this.#methods[method] === undefined) continue
      this.#set(method, (...args) => called(method, args))
    }
  }

  pass(method: Method, args: unknown[]): unknown {
    // express-session makes HTTP/1 write its head here, with a method that HTTP/2 lacks.
    if (method === 'end' && isHttp2(this.#res) && !this.#res.headersSent) this.#res.writeHead(this.#res.statusCode)
    return this.#methods[method]?.apply(this.#res, args)
  }

  /** Restores the methods, or one of them, and so removes all wrappers that were added since. */
  giveBack(only?: Method): void {
    for (const [method, original] of Object.entries(this.#methods)) {
      if (only !== undefined && method !== only) continue
      if (this.#isBypassed || original === undefined) Reflect.deleteProperty(this.#res, method)
      else this.#set(method, original)
    }
  }

  /** Also removes the wrappers that came earlier: a wrapper that has ended a response cannot end it a second time. */
  bypass(): void {
    this.#isBypassed = true
    const own = Object.getPrototypeOf(this.#res) as Methods
    for (const method of METHODS) {
      if (own[method] === undefined) delete this.#methods[method]
      else this.#methods[method] = own[method]
    }
  }

  /** Makes all writers that wait for `drain` continue, wherever they listen. */
  drain(): void {
    const reached = new Set<unknown>(this.#res.rawListeners('drain'))
    const others = this.#waiting?.filter((listener) => !reached.has(listener)) ?? []
    this.forgetWhoWaits()
    this.#res.emit('drain')
    for (const listener of others) listener.call(this.#res)
  }

  /** Forgets the listeners. From now on those below emit `drain` themselves when they have returned false. */
  forgetWhoWaits(): void {
    this.#waiting = undefined
  }

  /** compression attaches listeners of `drain` to its own stream, which emits no `drain` unless it has been full. */
  #noteWhoWaits(): void {
    const on = this.#methods.on as AnyFunction
    this.#waiting = []
    this.#set('on', (event, listener) => {
      if (event === 'drain') this.#waiting?.push(listener as AnyFunction)
      return on.call(this.#res, event, listener)
    })
  }

  #set(name: string, value: AnyFunction): void {
    Object.defineProperty(this.#res, name, { configurable: true, writable: true, enumerable: true, value })
  }
}
