import { SessionStoreError } from '../errors.js'
import { setPatientTimeout } from './patient-timeout.js'

/**
 * Settles with `work`, or rejects after `timeoutMs`, a little later if the event loop was halted (patient-timeout.ts). The work is not cancelled (Redis commands cannot be), which is why
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
    let isSettled = false
    let timer: NodeJS.Timeout | undefined
    const fail = (err: unknown) => {
      // What has timed out may fail as well, much later: that is no news.
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      onFailure(err)
      reject(err)
    }
    const onTime = () => {
      fail(
        isConnected()
          ? timedOut(timeoutMs)
          : new SessionStoreError('ERR_SESSION_UNAVAILABLE', `no connection to Redis within ${timeoutMs} ms`),
      )
    }
    setPatientTimeout(onTime, timeoutMs, (next) => {
      timer = next
    })
    work.then((value) => {
      isSettled = true
      clearTimeout(timer)
      resolve(value)
    }, fail)
  })
}

export function timedOut(timeoutMs: number): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_TIMEOUT', `Redis did not answer within ${timeoutMs} ms`)
}
