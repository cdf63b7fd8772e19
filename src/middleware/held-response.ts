import { AsyncLocalStorage } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import { answerBriefly } from './answer-briefly.js'
import { HeldCalls } from './held-calls.js'
import { isOwnedBy, noteOwner } from './next-owner.js'
import { Pretence } from './pretence.js'
import {
  closeAfterwards,
  headOf,
  isClosed,
  isHttp2,
  type ResponseHead,
  restoreHead,
  restoreStatus,
} from './response-head.js'
import { type Method, ResponseMethods } from './response-methods.js'
import { abandonSession, type SessionRequest, storeAccessOf } from './session-request.js'

/** How long the application's error handlers may take until they begin to answer. */
const ANSWER_WITHIN_MS = 1000

/** Which response the running code answers with an error; only set where others may still write to it. */
const answering = new AsyncLocalStorage<HeldResponse>()
let disputes = 0

/**
 * Stands between a response and whoever writes to it. Other packages wrap the same methods: those that came before this
 * one are below it, those that came after it are above it, with the application.
 *
 * | state | who is above | who is below |
 * |---|---|---|
 * | `open` | has sent nothing | has got nothing |
 * | `held` | has sent what it likes, and is told so | has still got nothing |
 * | `through` | is connected with those below | gets all that was held, then what comes |
 * | `failed` | is cut off: its half of a response belongs to nobody | gets the answer of the error handlers |
 * | `spent` | nobody is heard any more | has got a whole answer |
 *
 * So a visitor gets either all of the application's response or all of an error.
 */
export class HeldResponse {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #next: (err?: unknown) => void
  readonly #work: () => Promise<void> | undefined
  readonly #below: ResponseMethods
  readonly #headAtEntry: ResponseHead
  readonly #calls = new HeldCalls()
  /** What the application has sent; before that, what it was when the hold began. */
  #head: ResponseHead
  #pretence: Pretence | undefined
  #state: 'open' | 'held' | 'through' | 'failed' | 'spent' = 'open'
  /** Whether the error is answered while the application may still be writing its own response. */
  #isDisputed = false
  #hasBegunAnswer = false

  /** @param work what has to be done before the first header leaves; returns nothing if there is nothing to do */
  constructor(
    req: SessionRequest,
    res: ServerResponse,
    next: (err?: unknown) => void,
    work: () => Promise<void> | undefined,
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
    if (this.#state === 'through') return this.#pass(method, args)
    if (this.#state === 'held') return this.#calls.add(method, args, this.#res)
    return this.#calls.drop(method, args, this.#res)
  }

  #begin(method: Method): void {
    // Whatever the work itself does with the response must get through.
    this.#state = 'through'
    const working = started(this.#work)
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

  #pass(method: Method, args: unknown[]): unknown {
    // express-session asks HTTP/1 to write the head here, in a way that HTTP/2 does not have.
    if (method === 'end' && isHttp2(this.#res) && !this.#res.headersSent) this.#res.writeHead(this.#res.statusCode)
    return this.#below.call(method, args)
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
        const result = this.#pass(method, args)
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
    this.#isDisputed = !this.#calls.isEnded
    this.#calls.discard(err, this.#res)
    abandonSession(this.#req)
    // The head is out: nothing can be said any more, and a response that never ends would keep its visitor waiting.
    if (this.#res.headersSent) this.#res.destroy()
    else this.#startAnew()
    this.#below.giveBack()
    this.#below.takeOver((method, args) => this.#answer(method, args))
    this.#handOver(err)
    // Who waits to go on writing goes on, into nothing, and comes to an end.
    if (this.#isDisputed) this.#below.drain()
  }

  #startAnew(): void {
    try {
      restoreHead(this.#res, this.#headAtEntry)
      // The application may still find that its own response has failed, and end the connection for it.
      if (this.#isDisputed) closeAfterwards(this.#res)
    } catch {
      // A runtime that takes a head for sent before it says so.
      this.#res.destroy()
    }
  }

  /** The application's error handlers answer, or this does: a `next` that counts once has been used up. */
  #handOver(err: unknown): void {
    if (!isClosed(this.#res)) {
      const timer = setTimeout(() => this.#answerInstead(err), ANSWER_WITHIN_MS)
      timer.unref()
      this.#res.once('close', () => clearTimeout(timer))
    }
    if (this.#isDisputed && !isClosed(this.#res)) this.#tellApart(err)
    else this.#tell(err)
  }

  /** So that what the error handlers write can be told from what the application goes on writing. */
  #tellApart(err: unknown): void {
    disputes += 1
    this.#res.once('close', () => {
      disputes -= 1
      // Node has to follow all asynchronous calls of the process as long as somebody asks for this.
      if (disputes === 0) answering.disable()
    })
    answering.run(this, () => this.#tell(err))
  }

  #tell(err: unknown): void {
    if (!isOwnedBy(this.#next, this.#req)) {
      this.#answerInstead(err)
      return
    }
    try {
      this.#next(err)
    } catch {
      this.#answerInstead(err)
    }
  }

  #answer(method: Method, args: unknown[]): unknown {
    if (!this.#isOfAnswer(method)) return this.#calls.drop(method, args, this.#res)
    this.#hasBegunAnswer = true
    const result = this.#pass(method, args)
    if (method === 'end') this.#state = 'spent'
    return result
  }

  #isOfAnswer(method: Method): boolean {
    if (this.#isDisputed && answering.getStore() !== this) return false
    // Somebody below may put off the end, and Node's own comes to the head then.
    return this.#state === 'failed' || (method === 'writeHead' && !this.#res.headersSent)
  }

  #answerInstead(err: unknown): void {
    if (this.#hasBegunAnswer || this.#state === 'spent' || isClosed(this.#res)) return
    this.#isDisputed = false
    answerBriefly(this.#res, err)
    storeAccessOf(this.#req)?.announce('warning', { code: 'error-unanswered', message: unanswered(err) })
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

function unanswered(err: unknown): string {
  const { code, name } = (err ?? {}) as { code?: unknown; name?: unknown }
  return (
    `a response was held, and failed (${code ?? name ?? 'unknown error'}); the error went to next(), but nobody answered, so this ` +
    'library did, with the status alone. Use the middleware where next() may be called again with an error, as in Express, ' +
    'or give the error handlers a way to answer at once'
  )
}
