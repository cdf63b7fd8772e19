import { realSetImmediate } from '../real-set-immediate.js'

/** What Redis has at least, and at most, once the time is up: milliseconds. */
const LEAST_MS = 50
const MOST_MS = 100

/**
 * A timeout for an answer of Redis's that is fair to Redis: an application that halts the event loop (synchronous work) makes timers
 * fire before what has come over the network meanwhile is read, and before what it asked in the same turn has even left.
 * So once the time is up, there is as much more of it as the timer was late, and after that one look at the network.
 *
 * @param onTime comes at most MOST_MS late, and what the loop is late itself; has to check whether the answer came in the last moment
 * @param hold is given the timer to clear, once and again when another one takes its place
 */
export function setPatientTimeout(onTime: () => void, ms: number, hold: (timer: NodeJS.Timeout) => void): void {
  const due = performance.now() + ms
  const extend = () => {
    const lateMs = performance.now() - due
    // Immediates come after the event loop has looked at the network.
    hold(setTimeout(() => realSetImmediate(onTime), Math.min(Math.max(lateMs, LEAST_MS), MOST_MS)))
  }
  hold(setTimeout(extend, ms))
}
