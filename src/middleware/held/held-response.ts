import type { ServerResponse } from 'node:http'
import { abandonSession, type SessionRequest } from '../session-request.js'
import { ErrorAnswer } from './error-answer.js'
import { HeldCalls } from './held-calls.js'
import { noteOwner } from './next-owner.js'
import { Pretence } from './pretence.js'
import { headOf, type ResponseHead, restoreStatus } from './response-head.js'
import { type Method, ResponseMethods } from './response-methods.js'

/**
 * Stands between a response and whoever writes to it. Other packages wrap the same methods: those that came before this
 * one are below it, those that came after it are above it, with the application.
 *
 * | state | who is above | who is below |
 * |---|---|---|
 * | `open` | has sent nothing | has got nothing |
 * | `held` | has sent what it likes, and is told so | has still got nothing |
 * | `through` | is connected with those below | gets all that was held, then what comes |
 * | `failed` | is cut off: its half of a response belongs to nobody | gets an ErrorAnswer |
 *
 * So a visitor gets either all of the application's response or all of an error.
 */
export class HeldResponse {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #next: (err?: unknown) => void
  readonly #work: (isLast: boolean) => Promise<void> | undefined
  readonly #below: ResponseMethods
  readonly #headAtEntry: ResponseHead
  readonly #calls = new HeldCalls()
  /** What the application has sent; before that, what it was when the hold began. */
  #head: ResponseHead
  #pretence: Pretence | undefined
  #state: 'open' | 'held' | 'through' | 'failed' = 'open'

  /** @param work what has to be done before the first header leaves; returns nothing if there is nothing to do */
  constructor(
    req: SessionRequest,
    res: ServerResponse,
    next: (err?: unknown) => void,
    work: (isLast: boolean) => Promise<void> | undefined,
  ) {
    this.#req = req
    this.#res = res
    this.#next = next
    this.#work = work
    this.#headAtEntry = headOf(res)
    noteOwner(next, req)
    this.#head = this.#headAtEntry
    this.#below = new ResponseMethods(res)
    this.#below.takeOver((method, args) => this.#called(method, args))
  }

  /** What those above call; other packages may go on calling it for as long as they like. */
  #called(method: Method, args: unknown[]): unknown {
    if (this.#state === 'open') this.#begin(method)
    if (this.#state === 'through') return this.#below.pass(method, args)
    if (this.#state === 'held') return this.#calls.add(method, args, this.#res)
    return this.#calls.drop(method, args, this.#res)
  }

  #begin(method: Method): void {
    // Whatever the work itself does with the response must get through.
    this.#state = 'through'
    const working = started(() => this.#work(method === 'end'))
    if (working === undefined) {
      this.#below.forgetWhoWaits()
      return
    }
    this.#state = 'held'
    working.then(
      () => this.#release(),
      (err: unknown) => this.#fail(err),
    )
    // Node would ask for the head now, and others decide by that what to do with the body.
    if (method !== 'writeHead') this.#calls.passImplicitHead(() => this.#res.writeHead(this.#res.statusCode))
    this.#head = headOf(this.#res)
    this.#pretence = new Pretence(this.#res, this.#calls)
  }

  #release(): void {
    this.#pretence?.end()
    restoreStatus(this.#res, this.#head)
    this.#state = 'through'
    // Those above have seen the head leave.
    this.#below.giveBack('writeHead')
    let isWritable = true
    try {
      for (const [method, args] of this.#calls.take()) {
        const result = this.#below.pass(method, args)
        if (method === 'write') isWritable = result !== false
      }
    } catch (err) {
      // A header or a body that cannot be sent. Nobody is there to catch it, and it would end the process.
      this.#below.bypass()
      this.#fail(err)
      return
    }
    // Who was told to wait would otherwise wait for ever: those below have not been full.
    if (this.#calls.hasAskedToWait && isWritable && !this.#calls.isEnded) this.#below.drain()
    else this.#below.forgetWhoWaits()
  }

  #fail(err: unknown): void {
    this.#pretence?.end()
    this.#state = 'failed'
    this.#calls.discard(err, this.#res)
    abandonSession(this.#req)
    new ErrorAnswer(this.#req, this.#res, this.#below, this.#calls, this.#headAtEntry).give(err, this.#next)
  }
}

/** Work that throws at once fails like work that rejects: not into the handler that happened to call `end`. */
function started(work: () => Promise<void> | undefined): Promise<void> | undefined {
  try {
    return work()
  } catch (err) {
    return Promise.reject(err)
  }
}
