import { tracingChannel } from 'node:diagnostics_channel'
import { nameOf } from './errors.js'

/** All operations. */
export const OPERATIONS = [
  'get',
  'set',
  'touch',
  'destroy',
  'all',
  'ids',
  'length',
  'clear',
  'regenerate',
  'reload',
  'read',
  'patch',
  'increment',
  'getPath',
  'setPath',
  'exists',
  'info',
  'find',
  'findBy',
  'countBy',
  'destroyBy',
  'scan',
  'stats',
  'activity',
  'ping',
  'load',
  'rotate',
  'renew',
  'confirm',
  'device',
  'adopt',
] as const

/**
 * The operations of a store: its methods, and the steps of middleware. `load`: of `loadSession`; `rotate`: a new id at
 * a login; `renew` and `confirm`: of `renewSession`; `device`: of `bindDevice`; `adopt`: of `acceptFrom`.
 */
export type OperationName = (typeof OPERATIONS)[number]

/** All outcomes. */
export const OUTCOMES = ['ok', 'absent', 'rejected', 'error'] as const

/**
 * How an operation ended. `absent`: there is no such session, so that it resolved to null or false. `rejected`: the
 * visitor is the reason, e.g. one with more sessions than `limit` allows. `error`: Redis or the application is.
 */
export type OperationOutcome = (typeof OUTCOMES)[number]

/** Registered, so that telemetry recognises operations where a project has two copies of this package. */
const OWNER: unique symbol = Symbol.for('connect-redis-hash.operation-owner') as never

/**
 * What `tracingChannel('connect-redis-hash:operation')` publishes about an operation, without ids and keys. Only `name`
 * is known from the start; the other properties are set before `asyncEnd`.
 */
export interface Operation {
  /** Which operation it is. */
  readonly name: OperationName
  /** How the operation ended; undefined while it runs. */
  readonly outcome: OperationOutcome | undefined
  /** Code of the error, or the name of its class if it has none; undefined without an error. */
  readonly code: string | undefined
  /** Only for `get` with the `cache` option: whether the near cache had the session, so that Redis was not asked. */
  readonly cacheHit: boolean | undefined
  /** Duration in milliseconds. */
  readonly duration: number | undefined
}

class RunningOperation implements Operation {
  readonly name: OperationName
  outcome: OperationOutcome | undefined = undefined
  code: string | undefined = undefined
  cacheHit: boolean | undefined = undefined
  duration: number | undefined = undefined
  readonly #owner: object
  readonly #start = performance.now()

  constructor(name: OperationName, owner: object) {
    this.name = name
    this.#owner = owner
  }

  /** Identifies the store. A getter, so that no logger prints the store. */
  get [OWNER](): object {
    return this.#owner
  }

  succeed(result: unknown, cacheHit: boolean | undefined): void {
    this.outcome = result === null || result === false ? 'absent' : 'ok'
    this.cacheHit = cacheHit
    this.duration = performance.now() - this.#start
  }

  fail(err: unknown): void {
    const { status } = (err ?? {}) as { status?: unknown }
    this.outcome = typeof status === 'number' && status < 500 ? 'rejected' : 'error'
    this.code = nameOf(err)
    this.duration = performance.now() - this.#start
  }
}

/** The channels of operations, as in `tracingChannel('connect-redis-hash:operation')`. */
export const OPERATION_CHANNELS = tracingChannel<Operation, Operation>('connect-redis-hash:operation')

/** Whether an operation belongs to a store. */
export function isOperationOf(operation: Operation, owner: object): boolean {
  return (operation as Partial<RunningOperation>)[OWNER] === owner
}

/** Whether anybody listens to operations. Ask this before anything is allocated for a trace. */
export function isTraced(): boolean {
  // Not `hasSubscribers` of the whole, which other runtimes than Node may lack.
  const { start, end, asyncStart, asyncEnd, error } = OPERATION_CHANNELS
  return (
    start.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers
  )
}

/**
 * Runs an operation and publishes it, in the order of Node's `tracePromise`. Node's own function would return another
 * promise, whose rejection may end the process (store-promise.ts), and publish the session and the error.
 *
 * @param owner identifies the store
 * @param cacheHitOf tells from the result whether the near cache had it
 */
export function traced<T>(
  name: OperationName,
  owner: object,
  run: () => Promise<T>,
  cacheHitOf?: (result: T) => boolean | undefined,
): Promise<T> {
  const operation = new RunningOperation(name, owner)
  const { start, end, asyncStart, asyncEnd, error } = OPERATION_CHANNELS
  const settled = () => {
    asyncStart.publish(operation)
    asyncEnd.publish(operation)
  }
  const running = start.runStores(operation, run)
  end.publish(operation)
  // Promise's own `then`: that of StorePromise would note that somebody has asked for the result.
  void Promise.prototype.then.call(
    running,
    (result) => {
      operation.succeed(result, cacheHitOf?.(result as T))
      settled()
    },
    (err: unknown) => {
      operation.fail(err)
      error.publish(operation)
      settled()
    },
  )
  return running
}

/** Publishes the reading of a generator as one operation, which begins with the first item that is asked for. */
export async function* tracedItems<T>(
  name: OperationName,
  owner: object,
  items: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  let finish: (work: Promise<void>) => void = () => undefined
  const over = new Promise<void>((resolve) => {
    finish = resolve
  })
  traced(name, owner, () => over).catch(() => undefined)
  try {
    yield* items
    finish(Promise.resolve())
  } catch (err) {
    finish(Promise.reject(err))
    throw err
  } finally {
    // The reader has seen enough.
    finish(Promise.resolve())
  }
}

type Method = (a?: unknown, b?: unknown, c?: unknown, d?: unknown) => unknown

/** Parameters of a traced method are passed on one by one, because a list of them would be allocated for each call. */
const MAX_PARAMETERS = 4

/**
 * Makes methods of a class publish their calls. While nobody listens, a call costs one question, and nothing is
 * allocated.
 *
 * @param names the operation that each method is
 * @param ownerOf returns what identifies the store
 * @param cacheHitOf tells from the result of a `get` whether the near cache had it
 */
export function traceMethods<Self extends object>(
  prototype: Self,
  names: Readonly<Partial<Record<string & keyof Self, OperationName>>>,
  ownerOf: (self: Self) => object,
  cacheHitOf?: (self: Self, result: unknown) => boolean | undefined,
): void {
  for (const [method, name] of Object.entries(names) as [keyof Self, OperationName][]) {
    const original = prototype[method] as Method
    if (original.length > MAX_PARAMETERS) throw new Error(`${name} has more parameters than traceMethods() passes on`)
    const traces = function (this: Self, a?: unknown, b?: unknown, c?: unknown, d?: unknown): unknown {
      if (!isTraced()) return original.call(this, a, b, c, d)
      const owner = ownerOf(this)
      if (name === 'scan') return tracedItems(name, owner, original.call(this, a, b, c, d) as AsyncGenerator<unknown>)
      const hit = name === 'get' && cacheHitOf ? (result: unknown) => cacheHitOf(this, result) : undefined
      return traced(name, owner, () => original.call(this, a, b, c, d) as Promise<unknown>, hit)
    }
    Object.defineProperty(traces, 'name', { value: method })
    Object.defineProperty(traces, 'length', { value: original.length })
    Object.defineProperty(prototype, method, { value: traces, writable: true, configurable: true })
  }
}
