import { atEndOfTurn } from './real-set-immediate.js'

/** The Node convention, as express-session calls a store. */
export type Callback<T> = (err: unknown, value?: T) => void

/**
 * Calls a host back, once, and outside the promise chain, so that an exception the callback throws surfaces as the caller's own
 * and does not call it again (connect-redis does).
 */
export function callBack<T>(promise: Promise<T>, callback: Callback<T>): void {
  promise.then(
    (value) => process.nextTick(callback, null, value),
    (err: unknown) => process.nextTick(callback, err),
  )
}

/** Hosts also pass null, or undefined, for none. */
export function isCallback<T>(callback: Callback<T> | null | undefined): callback is Callback<T> {
  return typeof callback === 'function'
}

/**
 * The same of what is known already, at the end of a request. The callback runs before anything that its caller puts off: so
 * express-session finds the response still corked, and Node sends it in one packet, with one system call.
 */
export function settleAtOnce<T>(value: T, callback: Callback<T> | undefined): Promise<T> {
  if (isCallback(callback)) process.nextTick(callback, null, value)
  return Promise.resolve(value)
}

/**
 * The same at the beginning of one. The callback runs once everything has been read that has arrived: a busy server then
 * works through its requests in batches, as it does with answers of Redis, and is not interrupted by each.
 */
export function settleSoon<T>(value: T, callback: Callback<T> | undefined): Promise<T> {
  if (isCallback(callback)) atEndOfTurn(callback, null, value)
  return Promise.resolve(value)
}
