import type { ServerResponse } from 'node:http'
import { abandonSession, type SessionRequest } from './session-request.js'

/**
 * What may have to happen before the first byte of a response leaves, in this order: it is refused; a session gets its
 * new id before it is saved, it is decided what cookie may leave, the session is saved before the visitor can come back
 * with it; one that nobody used is dropped.
 */
const PHASES = ['refuse', 'rotate', 'cookie', 'save', 'drop'] as const
export type Phase = (typeof PHASES)[number]

/** Returns nothing if there is nothing to do; the response then goes out untouched, streaming included. */
export type Work = () => Promise<void> | undefined

type Next = (err?: unknown) => void
type Method = 'writeHead' | 'write' | 'end' | 'flushHeaders'
type Call = [method: Method, args: unknown[]]

const METHODS: readonly Method[] = ['writeHead', 'write', 'end', 'flushHeaders']
const holds = new WeakMap<ServerResponse, HeldResponse>()

/**
 * Runs `work` once, right before the first header of the response would leave, and holds the response until it is done.
 * If it fails, nothing of the response leaves, the request goes on without a session, so that no cookie is sent either,
 * and the error goes to the application's error handlers.
 */
export function beforeResponse(req: SessionRequest, res: ServerResponse, next: Next, phase: Phase, work: Work): void {
  let hold = holds.get(res)
  if (hold === undefined) {
    hold = new HeldResponse(req, res, next)
    holds.set(res, hold)
  }
  hold.add(phase, work)
}

/** Takes over the four ways a header can leave, and gives them back when the work is done. */
class HeldResponse {
  readonly #req: SessionRequest
  readonly #res: ServerResponse
  readonly #next: Next
  readonly #work: Partial<Record<Phase, Work>> = {}
  readonly #originals = new Map<Method, (...args: never[]) => unknown>()
  readonly #headersAtEntry: Head
  #state: 'open' | 'holding' | 'released' = 'open'
  #calls: Call[] = []
  #ended = false

  constructor(req: SessionRequest, res: ServerResponse, next: Next) {
    this.#req = req
    this.#res = res
    this.#next = next
    this.#headersAtEntry = headOf(res)
    for (const method of METHODS) this.#takeOver(method)
  }

  add(phase: Phase, work: Work): void {
    this.#work[phase] = work
  }

  #takeOver(method: Method): void {
    const original = this.#res[method] as (...args: never[]) => unknown
    this.#originals.set(method, original)
    Object.defineProperty(this.#res, method, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]) => this.#called(method, args),
    })
  }

  #called(method: Method, args: unknown[]): unknown {
    if (this.#state === 'open') this.#settle()
    if (this.#state === 'released') return this.#pass(method, args)
    // Once ended, nothing more belongs to this response: an error page that follows would be mixed into it.
    if (!this.#ended) this.#calls.push([method, args])
    if (method === 'end') this.#ended = true
    // false asks a stream to pause until 'drain'.
    return method === 'write' ? false : method === 'flushHeaders' ? undefined : this.#res
  }

  #pass(method: Method, args: unknown[]): unknown {
    return (this.#originals.get(method) as (...args: unknown[]) => unknown).apply(this.#res, args)
  }

  #settle(): void {
    // Whatever the work itself does with the response must get through.
    this.#state = 'released'
    const [first, ...rest] = PHASES.map((phase) => this.#work[phase]).filter((work) => work !== undefined)
    const pending = started(() => runInOrder(first, rest))
    if (pending === undefined) return
    this.#state = 'holding'
    const head = headOf(this.#res)
    pending.then(
      () => this.#release(head),
      (err: unknown) => this.#fail(err),
    )
  }

  #release(head: Head): void {
    if (this.#ended) restore(this.#res, head)
    this.#state = 'released'
    const calls = this.#calls
    this.#calls = []
    try {
      for (const [method, args] of calls) this.#pass(method, args)
    } catch (err) {
      // A header or a body that cannot be sent. Nobody is there to catch it, and it would end the process.
      this.#failHalfway(err)
      return
    }
    if (!this.#ended && calls.some(([method]) => method === 'write')) this.#res.emit('drain')
  }

  /** express-session lets a response end but once: the error page has to get past it, and past all else in between. */
  #failHalfway(err: unknown): void {
    // Nothing can be said any more, and a response that never ends would keep its visitor waiting.
    if (this.#res.headersSent) this.#res.destroy()
    for (const method of METHODS) Reflect.deleteProperty(this.#res, method)
    this.#fail(err)
  }

  #fail(err: unknown): void {
    this.#calls = []
    this.#ended = false
    this.#state = 'released'
    if (!this.#res.headersSent) restore(this.#res, this.#headersAtEntry)
    abandonSession(this.#req)
    this.#next(err)
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

/** Synchronous as long as nothing has to be done. */
function runInOrder(work: Work | undefined, rest: Work[]): Promise<void> | undefined {
  if (work === undefined) return undefined
  const pending = work()
  if (pending === undefined) return runInOrder(rest[0], rest.slice(1))
  return pending.then(async () => {
    for (const later of rest) await later()
  })
}

interface Head {
  statusCode: number
  statusMessage: string
  headers: [name: string, value: number | string | readonly string[]][]
}

function headOf(res: ServerResponse): Head {
  const headers = res.getHeaderNames().map((name) => [name, res.getHeader(name) ?? ''] as Head['headers'][number])
  return { statusCode: res.statusCode, statusMessage: res.statusMessage, headers }
}

function restore(res: ServerResponse, head: Head): void {
  res.statusCode = head.statusCode
  res.statusMessage = head.statusMessage
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of head.headers) res.setHeader(name, value)
}
