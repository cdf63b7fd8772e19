import { isOnTestRun, PATIENCE } from './patience.js'
import { wrapped } from './wrapped.js'

/** Replaces the library in `npm test`: stores on the Redis of the test run have patience. */
export * from '../../src/index.js'

function patient<O>(options: O): O {
  return isOnTestRun((options as { client?: unknown } | undefined)?.client) ? { ...PATIENCE, ...options } : options
}

export const { RedisStore, secureSession } = wrapped(patient)
