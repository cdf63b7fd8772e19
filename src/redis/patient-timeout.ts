import { realSetImmediate } from '../real-set-immediate.js'

/** Minimum and maximum extension after the time is up, in milliseconds. */
const MIN_EXTENSION_MS = 50
const MAX_EXTENSION_MS = 100

/**
 * Sets a timeout for a reply of Redis that is not affected by a blocked event loop. If an application blocks the event
 * loop with synchronous work, timers fire before the replies that have arrived are read, and before the commands of the
 * same turn have been sent. Therefore the timeout is extended by the time that the timer was late, and then the network
 * is read once more.
 *
 * @param onTime called at most MAX_EXTENSION_MS late, plus the delay of the event loop. It must check whether the reply
 *   has arrived at the last moment.
 * @param hold called with the timer to clear, and again when another timer replaces it
 */
export function setPatientTimeout(onTime: () => void, ms: number, hold: (timer: NodeJS.Timeout) => void): void {
  const due = performance.now() + ms
  const extend = () => {
    const lateMs = performance.now() - due
    const extensionMs = Math.min(Math.max(lateMs, MIN_EXTENSION_MS), MAX_EXTENSION_MS)
    // Immediates run after the event loop has read from the network.
    hold(setTimeout(() => realSetImmediate(onTime), extensionMs))
  }
  hold(setTimeout(extend, ms))
}
