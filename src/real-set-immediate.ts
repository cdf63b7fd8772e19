import * as timers from 'node:timers'

/**
 * `setImmediate` as it was when this was loaded. Tests of applications that fake their timers, of the global object or of the
 * module, would otherwise wait for ever for what is sent at the end of a turn.
 */
export const atEndOfTurn: typeof timers.setImmediate = timers.setImmediate

/** Lets others have their turn, in the middle of much work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    atEndOfTurn(resolve)
  })
}
