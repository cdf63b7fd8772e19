import { realSetImmediate } from './real-set-immediate.js'

/** A Node-style callback, as express-session passes it to a store. */
export type Callback<T> = (err: unknown, value?: T) => void

/**
 * Calls a callback once, and outside the promise chain: an exception that it throws is then the caller's own, and does
 * not make it run a second time (in connect-redis it does).
 */
export function callBack<T>(promise: Promise<T>, callback: Callback<T>): void {
  promise.then(
    (value) => process.nextTick(callback, null, value),
    // A callback would take a falsy reason for success, and the session for saved.
    (err: unknown) =>
      process.nextTick(callback, err || new Error(`a function of the application threw ${String(err)}`)),
  )
}

/** Whether there is a callback. Hosts also pass null or undefined for none. */
export function isCallback<T>(callback: Callback<T> | null | undefined): callback is Callback<T> {
  return typeof callback === 'function'
}

/**
 * Delivers a known value at the end of a request. The callback runs before anything that its caller defers, so that
 * express-session finds the response still corked, and Node sends it in one packet with one system call.
 */
export function settleNextTick<T>(value: T, callback: Callback<T> | undefined): Promise<T> {
  if (isCallback(callback)) process.nextTick(callback, null, value)
  return Promise.resolve(value)
}

/**
 * Delivers a known value at the beginning of a request. The callback runs after all received input has been read, so
 * that a busy server handles its requests in batches, as it does when it waits for Redis.
 */
export function settleAfterIo<T>(value: T, callback: Callback<T> | undefined): Promise<T> {
  if (isCallback(callback)) realSetImmediate(callback, null, value)
  return Promise.resolve(value)
}
