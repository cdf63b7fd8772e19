import { AsyncLocalStorage } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import { type SessionRequest, storeAccessOf } from '../session-request.js'
import { answerBriefly } from './answer-briefly.js'
import type { HeldCalls } from './held-calls.js'
import { isOwnedBy } from './next-owner.js'
import { closeAfterwards, isClosed, type ResponseHead, restoreHead } from './response-head.js'
import type { Method, ResponseMethods } from './response-methods.js'
import { shadowSetters } from './shadow-setters.js'

/** How long the application's error handlers may take until they begin to answer, or until what they have begun goes on. */
const ANSWER_WITHIN_MS = 1000

/** Names, in the code that is running, whose answer it writes. */
const answering = new AsyncLocalStorage<object>()
let underWay = 0

/**
 * What the visitor gets in place of a response that could not be sent. The error goes to the application's error handlers; meanwhile
 * the handler that wrote the response may go on writing to it, set headers, or answer once more. So whoever writes is told apart by
 * where their call comes from, and only the error handlers are heard. Where none of them answers, as a `next` that counts once has
 * been used up, this does.
 */
export class ErrorAnswer {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #below: ResponseMethods
  readonly #calls: HeldCalls
  readonly #head: ResponseHead
  /** Whose calls are heard. */
  #speaker: object = this
  #state: 'awaited' | 'begun' | 'ended' = 'awaited'
  #timer: NodeJS.Timeout | undefined

  /**
   * @param below the methods of the response as they were before the application wrote to it
   * @param calls drops what is not heard
   * @param head what the response begins with
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
    // The head is out: nothing can be said any more, and a response that never ends would keep its visitor waiting.
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
      // Node has to follow all asynchronous calls of the process as long as somebody asks for this.
      if (underWay === 0) answering.disable()
    }
    if (!isClosed(res)) res.once('close', over)
    answering.run(this.#speaker, () => this.#tell(err, next))
    if (isClosed(res)) over()
    // A handler that waits for `drain` writes on, into nothing, and comes to an end.
    this.#below.drain()
  }

  /** @param isToClose whether the application may still find that its own response has failed, and end the connection for it */
  #startAnew(isToClose: boolean): void {
    try {
      restoreHead(this.#res, this.#head)
      if (isToClose) closeAfterwards(this.#res)
      // A handler that corks leaves it to `end` to uncork.
      while (this.#res.writableCorked > 0) this.#res.uncork()
    } catch {
      // A runtime that takes a head for sent before it says so.
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
    // Somebody below may put off the end, and Node's own comes to the head then.
    const isOver = this.#state === 'ended' && (method !== 'writeHead' || this.#res.headersSent)
    if (isOver || !this.#isHeard()) return this.#drop(method, args)
    if (this.#state === 'awaited') this.#state = 'begun'
    const result = this.#below.pass(method, args)
    if (method === 'end') this.#state = 'ended'
    return result
  }

  #drop(method: Method, args: unknown[]): unknown {
    // It may have been an error handler's: some callbacks come from where nobody knows who has asked for them.
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
