import { SessionStoreError } from '../errors.js'
import { setPatientTimeout } from './patient-timeout.js'

/** Says that an operation is over: its caller has been told how it ended, and what is still done for it is in vain. */
export interface Signal {
  readonly aborted: boolean
}

/** Aborted once the time is over; needs no timer. */
export function signalFor(ms: number): Signal {
  const end = performance.now() + ms
  return {
    get aborted() {
      return performance.now() > end
    },
  }
}

/** Gives work its deadline. Work that is passed as a function learns from the signal when that has come. */
export type Within = <T>(work: Promise<T> | ((signal: Signal) => Promise<T>)) => Promise<T>

/**
 * Settles with `work`, or rejects after `timeoutMs`, a little later if the event loop was halted (patient-timeout.ts). A command that has
 * been sent cannot be taken back, which is why every write this library sends is safe when it lands late; but loops look at the signal,
 * and nothing more is sent for them.
 *
 * @param onFailure is told why the promise is about to reject
 * @param signal is aborted when the promise is about to reject
 */
export function withDeadline<T>(
  work: Promise<T>,
  timeoutMs: number,
  isConnected: () => boolean,
  onFailure: (err: unknown) => void,
  signal = { aborted: false },
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isSettled = false
    let timer: NodeJS.Timeout | undefined
    const fail = (err: unknown) => {
      // What has timed out may fail as well, much later: that is no news.
      if (isSettled) return
      isSettled = true
      signal.aborted = true
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

/**
 * What a store does within `timeoutMs`.
 *
 * @param onFailure is told of every failure
 */
export function deadlines(timeoutMs: number, isConnected: () => boolean, onFailure: (err: unknown) => void): Within {
  return (work) => {
    if (typeof work !== 'function') return withDeadline(work, timeoutMs, isConnected, onFailure)
    const signal = { aborted: false }
    return withDeadline(
      started(() => work(signal)),
      timeoutMs,
      isConnected,
      onFailure,
      signal,
    )
  }
}

/** What fails at once fails as what fails later does. */
export function started<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work()
  } catch (err) {
    return Promise.reject(err)
  }
}

export function timedOut(timeoutMs: number): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_TIMEOUT', `Redis did not answer within ${timeoutMs} ms`)
}
