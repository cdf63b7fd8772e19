import { AsyncLocalStorage } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import { type SessionRequest, storeAccessOf } from '../session-request.js'
import { answerBriefly } from './answer-briefly.js'
import type { HeldCalls } from './held-calls.js'
import { isOwnedBy } from './next-owner.js'
import { closeAfterwards, isClosed, type ResponseHead, restoreHead } from './response-head.js'
import type { Method, ResponseMethods } from './response-methods.js'
import { shadowSetters } from './shadow-setters.js'

/** How long the application's error handlers may take to begin their answer, or to continue one they have begun. */
const ANSWER_WITHIN_MS = 1000

/** Identifies, in the code that is running, the writer on whose behalf it runs. */
const answering = new AsyncLocalStorage<object>()
let underWay = 0

/**
 * The response that the visitor gets instead of one that could not be sent.
 *
 * The error goes to the application's error handlers. Meanwhile the handler that wrote the response may continue to
 * write, set headers, or answer again. Async context tells the two apart: only calls that come from the error handlers
 * reach the response. If no error handler answers, for example because a `next` that works only once has been called
 * before, a short answer is sent from here.
 */
export class ErrorAnswer {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #below: ResponseMethods
  readonly #calls: HeldCalls
  readonly #head: ResponseHead
  /** The writer whose calls reach the response. */
  #speaker: object = this
  #state: 'awaited' | 'begun' | 'ended' = 'awaited'
  #timer: NodeJS.Timeout | undefined

  /**
   * @param below the methods of the response as they were before the application wrote to it
   * @param calls drops the calls that must not reach the response
   * @param head the status and headers that the error response starts with
   */
  constructor(req: SessionRequest, res: ServerResponse, below: ResponseMethods, calls: HeldCalls, head: ResponseHead) {
    this.#req = req
    this.#res = res
    this.#below = below
    this.#calls = calls
    this.#head = head
  }

  give(err: unknown, next: (err?: unknown) => void): void {
    const res = this.#res
    // The head is out, so no error can be sent. A response that never ends would keep its visitor waiting.
    if (res.headersSent) res.destroy()
    this.#startAnew(!this.#calls.isEnded)
    this.#below.giveBack()
    this.#below.takeOver((method, args) => this.#called(method, args))
    shadowSetters(res, () => this.#isHeard())
    this.#watchTime(() => this.#answerInstead(err))
    underWay += 1
    const over = () => {
      clearTimeout(this.#timer)
      underWay -= 1
      // Enabled, it makes Node track every asynchronous call of the process.
      if (underWay === 0) answering.disable()
    }
    if (!isClosed(res)) res.once('close', over)
    answering.run(this.#speaker, () => this.#tell(err, next))
    if (isClosed(res)) over()
    // A handler that waits for `drain` continues; its writes are dropped, and it ends.
    this.#below.drain()
  }

  /**
   * @param isToClose whether the application has not ended its own response yet. It may find that its response has
   *   failed, and close the connection for that, so no other request may use this connection.
   */
  #startAnew(isToClose: boolean): void {
    try {
      restoreHead(this.#res, this.#head)
      if (isToClose) closeAfterwards(this.#res)
      // A handler that has corked the response relies on `end` to uncork it.
      while (this.#res.writableCorked > 0) this.#res.uncork()
    } catch {
      // Some runtimes treat a head as sent before `headersSent` is true.
      this.#res.destroy()
    }
  }

  #tell(err: unknown, next: (err?: unknown) => void): void {
    if (!isOwnedBy(next, this.#req)) {
      this.#answerInstead(err)
      return
    }
    try {
      next(err)
    } catch {
      this.#answerInstead(err)
    }
  }

  #isHeard(): boolean {
    return answering.getStore() === this.#speaker
  }

  #called(method: Method, args: unknown[]): unknown {
    // A wrapper below may defer `end`; Node's own `end` then asks for the head after ours has returned.
    const isOver = this.#state === 'ended' && (method !== 'writeHead' || this.#res.headersSent)
    if (isOver || !this.#isHeard()) return this.#drop(method, args)
    if (this.#state === 'awaited') this.#state = 'begun'
    const result = this.#below.pass(method, args)
    if (method === 'end') this.#state = 'ended'
    return result
  }

  #drop(method: Method, args: unknown[]): unknown {
    // An error handler may have made this call: some callbacks lose the async context of their caller.
    if (method === 'end' && this.#state === 'begun') {
      this.#watchTime(() => {
        if (this.#state === 'begun') this.#res.destroy()
      })
    }
    return this.#calls.drop(method, args, this.#res)
  }

  #watchTime(late: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(late, ANSWER_WITHIN_MS)
    this.#timer.unref()
  }

  #answerInstead(err: unknown): void {
    if (this.#state !== 'awaited' || isClosed(this.#res)) return
    this.#speaker = {}
    answering.run(this.#speaker, () => {
      this.#startAnew(true)
      answerBriefly(this.#res, err)
    })
    this.#state = 'ended'
    storeAccessOf(this.#req)?.announce('warning', { code: 'error-unanswered', message: unanswered(err) })
  }
}

function unanswered(err: unknown): string {
  const { code, name } = (err ?? {}) as { code?: unknown; name?: unknown }
  return (
    `a response was held, and failed (${code ?? name ?? 'unknown error'}); the error went to next(), but nobody answered, so this ` +
    'library did, with the status alone. Use the middleware where next() may be called again with an error, as in Express, ' +
    'or give the error handlers a way to answer at once'
  )
}
