import * as timers from 'node:timers'

/**
 * The real `setImmediate`. Tests of applications may replace the timers of the global object or of the module after
 * this file was loaded. What is sent with `setImmediate` would otherwise never leave.
 */
export const realSetImmediate: typeof timers.setImmediate = timers.setImmediate

/** Gives other work a turn in the middle of a long computation. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    realSetImmediate(resolve)
  })
}
