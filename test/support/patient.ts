import { isOnTestRedis, PATIENCE } from './patience.js'
import { wrapped } from './wrapped.js'

/** Replaces the library in `npm test`: stores on a Redis that tests have started have patience. */
export * from '../../src/index.js'

function patient<O>(options: O): O {
  return isOnTestRedis((options as { client?: unknown } | undefined)?.client) ? { ...PATIENCE, ...options } : options
}

export const { RedisStore, secureSession } = wrapped(patient)
