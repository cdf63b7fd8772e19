import type { ServerResponse } from 'node:http'
import { abandonSession, type SessionRequest } from '../session-request.js'
import { ApparentState } from './apparent-state.js'
import { ErrorAnswer } from './error-answer.js'
import { HeldCalls } from './held-calls.js'
import { noteOwner } from './next-owner.js'
import { headOf, type ResponseHead, restoreStatus } from './response-head.js'
import { type Method, ResponseMethods } from './response-methods.js'

/**
 * Intercepts the methods of a response. Other packages wrap the same methods: those that did so earlier are "below"
 * this one, between it and Node; those that did so later are "above" it, with the application.
 *
 * | state | above | below |
 * |---|---|---|
 * | `open` | has sent nothing | has received nothing |
 * | `held` | has sent something, and believes that it is out | has still received nothing |
 * | `through` | is connected with those below | receives all held calls, then the later ones |
 * | `failed` | is cut off; its incomplete response is dropped | receives an ErrorAnswer |
 *
 * So a visitor gets either the application's complete response or a complete error response.
 */
export class HeldResponse {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #next: (err?: unknown) => void
  readonly #work: (isLast: boolean) => Promise<void> | undefined
  readonly #addHeaders: () => void
  readonly #below: ResponseMethods
  readonly #headAtEntry: ResponseHead
  readonly #calls = new HeldCalls()
  /** Status and headers that the application has sent; before that, those at the beginning of the hold. */
  #head: ResponseHead
  #apparent: ApparentState | undefined
  #state: 'open' | 'held' | 'through' | 'failed' = 'open'

  /**
   * @param work runs before the first header leaves; returns undefined if there is nothing to do
   * @param addHeaders runs once the work is done, unless it has failed
   */
  constructor(
    req: SessionRequest,
    res: ServerResponse,
    next: (err?: unknown) => void,
    work: (isLast: boolean) => Promise<void> | undefined,
    addHeaders: () => void,
  ) {
    this.#req = req
    this.#res = res
    this.#next = next
    this.#work = work
    this.#addHeaders = addHeaders
    this.#headAtEntry = headOf(res)
    noteOwner(next, req)
    this.#head = this.#headAtEntry
    this.#below = new ResponseMethods(res)
    this.#below.takeOver((method, args) => this.#called(method, args))
  }

  /** Receives the calls of those above. Other packages may keep calling it at any later time. */
  #called(method: Method, args: unknown[]): unknown {
    if (this.#state === 'open') this.#begin(method)
    if (this.#state === 'through') return this.#below.pass(method, args)
    if (this.#state === 'held') return this.#calls.add(method, args, this.#res)
    return this.#calls.drop(method, args, this.#res)
  }

  #begin(method: Method): void {
    // The work may use the response itself, and its calls must get through.
    this.#state = 'through'
    const working = started(() => this.#work(method === 'end'))
    if (working === undefined) {
      this.#addHeaders()
      this.#below.forgetWhoWaits()
      return
    }
    this.#state = 'held'
    working.then(
      () => this.#release(),
      (err: unknown) => this.#fail(err),
    )
    // Node would write the head now. Wrappers such as compression decide by that call what to do with the body.
    if (method !== 'writeHead') this.#calls.passImplicitHead(() => this.#res.writeHead(this.#res.statusCode))
    this.#head = headOf(this.#res)
    this.#apparent = new ApparentState(this.#res, this.#calls)
  }

  #release(): void {
    this.#apparent?.end()
    restoreStatus(this.#res, this.#head)
    this.#state = 'through'
    // Those above have already seen a head leave, and must not see another one.
    this.#below.giveBack('writeHead')
    let isWritable = true
    try {
      this.#addHeaders()
      for (const [method, args] of this.#calls.take()) {
        const result = this.#below.pass(method, args)
        if (method === 'write') isWritable = result !== false
      }
    } catch (err) {
      // A header or a body was invalid. No caller could catch this, so it would end the process.
      this.#below.bypass()
      this.#fail(err)
      return
    }
    // Those below have never been full, so no `drain` would come from them, and a writer that waits would wait forever.
    if (this.#calls.hasAskedToWait && isWritable && !this.#calls.isEnded) this.#below.drain()
    else this.#below.forgetWhoWaits()
  }

  #fail(err: unknown): void {
    this.#apparent?.end()
    this.#state = 'failed'
    this.#calls.discard(err, this.#res)
    abandonSession(this.#req)
    new ErrorAnswer(this.#req, this.#res, this.#below, this.#calls, this.#headAtEntry).give(err, this.#next)
  }
}

/**
 * Turns a synchronous throw into a rejection. Otherwise the error would reach the handler that happened to call `end`.
 */
function started(work: () => Promise<void> | undefined): Promise<void> | undefined {
  try {
    return work()
  } catch (err) {
    return Promise.reject(err)
  }
}
