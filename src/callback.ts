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
