import { atEndOfTurn } from './end-of-turn.js'

/** The Node convention, as express-session calls a store. */
export type Callback<T> = (err: unknown, value?: T) => void

/**
 * Serves both callers of a store method: express-session passes a callback and ignores the promise, applications await
 * the promise. The callback runs exactly once and outside the promise chain, so that an exception it throws surfaces as
 * the caller's own and does not call it again (connect-redis does).
 */
export function settle<T>(promise: Promise<T>, callback: Callback<T> | undefined): Promise<T> {
  if (callback !== undefined) {
    promise.then(
      (value) => process.nextTick(callback, null, value),
      (err: unknown) => process.nextTick(callback, err),
    )
  }
  return promise
}

/**
 * The same of what is known already, at the end of a request. The callback runs before anything that its caller puts off: so
 * express-session finds the response still corked, and Node sends it in one packet, with one system call.
 */
export function settleAtOnce<T>(value: T, callback: Callback<T> | undefined): Promise<T> {
  if (callback !== undefined) process.nextTick(callback, null, value)
  return Promise.resolve(value)
}

/**
 * The same at the beginning of one. The callback runs once everything has been read that has arrived: a busy server then
 * works through its requests in batches, as it does with answers of Redis, and is not interrupted by each.
 */
export function settleSoon<T>(value: T, callback: Callback<T> | undefined): Promise<T> {
  if (callback !== undefined) atEndOfTurn(callback, null, value)
  return Promise.resolve(value)
}
