import type { ServerResponse } from 'node:http'
import type { Method } from './response-methods.js'

type Call = [method: Method, args: unknown[]]

/** Records the calls that an application makes on a held response, and what they returned. */
export class HeldCalls {
  #calls: Call[] = []
  #bytes = 0
  #failure: unknown
  #isHeadImplicit = false
  /** Whether the application has ended its response. */
  isEnded = false
  /** Whether a `write` has returned false, so that its caller waits for `drain`. */
  hasAskedToWait = false

  /**
   * Runs `writeHead` for a head that Node would write implicitly. Its call is not recorded: only the body tells what
   * the head must contain, such as the length.
   */
  passImplicitHead(writeHead: () => void): void {
    this.#isHeadImplicit = true
    try {
      writeHead()
    } finally {
      this.#isHeadImplicit = false
    }
  }

  /** @returns what the method returns to its caller */
  add(method: Method, args: unknown[], res: ServerResponse): unknown {
    // Only the first head counts. compression before 1.8 writes it again with every chunk while the response is held.
    const isSecondHead = method === 'writeHead' && this.#calls.length > 0
    if (this.isEnded || isSecondHead) return this.drop(method, args, res)
    if (this.#isHeadImplicit && args.length === 1) return Object.assign(res, { statusCode: args[0] })
    this.#calls.push([method, args])
    if (method === 'end') this.isEnded = true
    if (method !== 'write') return resultOf(method, res)
    this.#bytes += bytesOf(args[0])
    const isFull = this.#bytes >= res.writableHighWaterMark
    this.hasAskedToWait ||= isFull
    return !isFull
  }

  /** Drops a call. A callback that waits for its end gets an error. */
  drop(method: Method, args: readonly unknown[], res: ServerResponse): unknown {
    const callback = args.findLast((arg) => typeof arg === 'function') as ((err: unknown) => void) | undefined
    if (callback !== undefined) process.nextTick(callback, this.#failure ?? writeAfterEnd())
    return resultOf(method, res)
  }

  take(): readonly Call[] {
    const calls = this.#calls
    this.#calls = []
    return calls
  }

  /** Drops all recorded calls, and makes later ones fail with the same error. */
  discard(failure: unknown, res: ServerResponse): void {
    this.#failure = failure
    for (const [method, args] of this.take()) this.drop(method, args, res)
  }
}

function resultOf(method: Method, res: ServerResponse): unknown {
  if (method === 'write') return true
  return method === 'flushHeaders' || method === 'flush' ? undefined : res
}

function bytesOf(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk)
  return (chunk as Partial<Uint8Array> | undefined)?.byteLength ?? 0
}

function writeAfterEnd(): Error {
  return Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' })
}
