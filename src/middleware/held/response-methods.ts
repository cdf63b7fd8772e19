import type { ServerResponse } from 'node:http'
import { isHttp2 } from './response-head.js'

/** The ways a header or a byte can leave. `flush` is compression's. */
export const METHODS = ['writeHead', 'write', 'end', 'flushHeaders', 'flush'] as const
export type Method = (typeof METHODS)[number]

type AnyFunction = (...args: unknown[]) => unknown
type Methods = Partial<Record<Method | 'on', AnyFunction>>

/** What a response's methods were at one moment: Node's own, or the wrappers of packages that came before. */
export class ResponseMethods {
  readonly #res: ServerResponse
  readonly #methods: Methods
  #isBypassed = false
  /** Who listens to `drain`; only where somebody has wrapped `on`, and events of the response may not reach them. */
  #waiting: AnyFunction[] | undefined

  constructor(res: ServerResponse) {
    this.#res = res
    const { writeHead, write, end, flushHeaders, flush, on } = res as Methods
    this.#methods = { writeHead, write, end, flushHeaders, flush, on } as Methods
    if (Object.hasOwn(res, 'on')) this.#noteWhoWaits()
  }

  /** From here on, who calls one of the response's methods calls `called`. */
  takeOver(called: (method: Method, args: unknown[]) => unknown): void {
    for (const method of METHODS) {
      if (this.#methods[method] === undefined) continue
      this.#set(method, (...args) => called(method, args))
    }
  }

  pass(method: Method, args: unknown[]): unknown {
    // express-session asks HTTP/1 to write the head here, in a way that HTTP/2 does not have.
    if (method === 'end' && isHttp2(this.#res) && !this.#res.headersSent) this.#res.writeHead(this.#res.statusCode)
    return this.#methods[method]?.apply(this.#res, args)
  }

  /** Cuts off whoever has wrapped the methods since, or one of them. */
  giveBack(only?: Method): void {
    for (const [method, original] of Object.entries(this.#methods)) {
      if (only !== undefined && method !== only) continue
      if (this.#isBypassed || original === undefined) Reflect.deleteProperty(this.#res, method)
      else this.#set(method, original)
    }
  }

  /** Leaves out those who came before, too: one that has ended a response once does not do so again. */
  bypass(): void {
    this.#isBypassed = true
    const own = Object.getPrototypeOf(this.#res) as Methods
    for (const method of METHODS) {
      if (own[method] === undefined) delete this.#methods[method]
      else this.#methods[method] = own[method]
    }
  }

  /** Tells everybody who was asked to wait that they may go on, wherever they wait. */
  drain(): void {
    const reached = new Set<unknown>(this.#res.rawListeners('drain'))
    const others = this.#waiting?.filter((listener) => !reached.has(listener)) ?? []
    this.forgetWhoWaits()
    this.#res.emit('drain')
    for (const listener of others) listener.call(this.#res)
  }

  /** Nobody is asked to wait any more but by those below, who keep their own word. */
  forgetWhoWaits(): void {
    this.#waiting = undefined
  }

  /** compression keeps listeners of `drain` on a stream of its own, which does not drain if it has not been full. */
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
