import { SessionStoreError } from '../errors.js'

/**
 * Settles with `work`, or rejects after `timeoutMs`. The work is not cancelled (Redis commands cannot be), which is why
 * every write this library sends is safe when it lands late.
 */
export function withDeadline<T>(work: Promise<T>, timeoutMs: number, isConnected: () => boolean): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        isConnected()
          ? timedOut(timeoutMs)
          : new SessionStoreError('ERR_SESSION_UNAVAILABLE', `no connection to Redis within ${timeoutMs} ms`),
      )
    }, timeoutMs)
    work.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (err: unknown) => {
        clearTimeout(timer)
        reject(err)
      },
    )
  })
}

export function timedOut(timeoutMs: number): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_TIMEOUT', `Redis did not answer within ${timeoutMs} ms`)
}
