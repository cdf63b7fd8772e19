import { SessionStoreError } from '../errors.js'
import { setPatientTimeout } from './patient-timeout.js'

/** Tells that an operation is over: its caller knows the result, and further work for it is useless. */
export interface Signal {
  readonly aborted: boolean
}

/** Makes a signal that is aborted after `ms` milliseconds. It needs no timer. */
export function signalFor(ms: number): Signal {
  const end = performance.now() + ms
  return {
    get aborted() {
      return performance.now() > end
    },
  }
}

/** Applies the `timeout` option to work. Work that is passed as a function gets a signal that tells when time is up. */
export type Within = <T>(work: Promise<T> | ((signal: Signal) => Promise<T>)) => Promise<T>

/**
 * Makes the function that applies `timeoutMs` to each operation of a store: its promise settles with the work, or
 * rejects after that time, or a little later if the event loop was blocked (patient-timeout.ts). A command that has been
 * sent cannot be cancelled, so every write of this library must be safe even if Redis executes it late. Loops check the
 * signal and send nothing more.
 *
 * @param onFailure called with the error of every failure, before the promise rejects
 * @param keepsProcess false: the process may end while an operation is under way, because nobody waits for it
 */
export function deadlines(
  timeoutMs: number,
  isConnected: () => boolean,
  onFailure: (err: unknown) => void,
  keepsProcess = true,
): Within {
  const lateness = () =>
    isConnected()
      ? timedOut(timeoutMs)
      : new SessionStoreError('ERR_SESSION_UNAVAILABLE', `no connection to Redis within ${timeoutMs} ms`)

  function settled<T>(work: Promise<T>, signal = { aborted: false }): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let isSettled = false
      let timer: NodeJS.Timeout | undefined
      const fail = (err: unknown) => {
        // Work that has timed out may also fail much later. That failure has been reported already.
        if (isSettled) return
        isSettled = true
        signal.aborted = true
        clearTimeout(timer)
        onFailure(err)
        reject(err)
      }
      const onTime = () => fail(lateness())
      setPatientTimeout(onTime, timeoutMs, (next) => {
        timer = keepsProcess ? next : next.unref()
      })
      work.then((value) => {
        isSettled = true
        clearTimeout(timer)
        resolve(value)
      }, fail)
    })
  }

  return (work) => {
    if (typeof work !== 'function') return settled(work)
    const signal = { aborted: false }
    return settled(
      started(() => work(signal)),
      signal,
    )
  }
}

/** Starts work, and turns an exception that it throws into a rejection. */
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
