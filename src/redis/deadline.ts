import { SessionStoreError } from '../errors.js'

/**
 * Settles with `work`, or rejects after `timeoutMs`. The work is not cancelled (Redis commands cannot be), which is why
 * every write this library sends is safe when it lands late.
 *
 * @param onFailure is told why the promise is about to reject
 */
export function withDeadline<T>(
  work: Promise<T>,
  timeoutMs: number,
  isConnected: () => boolean,
  onFailure: (err: unknown) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let hasFailed = false
    const fail = (err: unknown) => {
      // What has timed out may fail as well, much later: that is no news.
      if (hasFailed) return
      hasFailed = true
      clearTimeout(timer)
      onFailure(err)
      reject(err)
    }
    const timer = setTimeout(() => {
      fail(
        isConnected()
          ? timedOut(timeoutMs)
          : new SessionStoreError('ERR_SESSION_UNAVAILABLE', `no connection to Redis within ${timeoutMs} ms`),
      )
    }, timeoutMs)
    work.then((value) => {
      clearTimeout(timer)
      resolve(value)
    }, fail)
  })
}

export function timedOut(timeoutMs: number): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_TIMEOUT', `Redis did not answer within ${timeoutMs} ms`)
}
