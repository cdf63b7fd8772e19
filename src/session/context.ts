import type { NearCache } from '../cache/near-cache.js'
import type { Announcer } from '../events.js'
import type { Codec } from '../hash/codec.js'
import type { IdMapper } from '../ids/id-mapper.js'
import type { EndOfLife } from '../on-end/hand-over.js'
import type { ResolvedOptions } from '../options.js'
import { type Signal, timedOut } from '../redis/deadline.js'
import type { Gateway } from '../redis/gateway.js'
import type { Keys } from '../redis/keys.js'
import type { RedisClock } from '../redis/redis-clock.js'
import type { Replicas } from '../redis/replicas.js'
import type { Creations } from './pending-creations.js'

/** What every operation on sessions works with; made once per store. */
export interface Context {
  options: ResolvedOptions
  gateway: Gateway
  clock: RedisClock
  keys: Keys
  ids: IdMapper
  codec: Codec
  announcer: Announcer
  creations: Creations
  /** Undefined where no replica has to confirm anything. */
  replicas: Replicas | undefined
  /** Undefined without `onEnd`. */
  endOfLife: EndOfLife | undefined
  /** Undefined without `cache`. */
  cache: NearCache | undefined
  /** Of one operation whose loops stop when it is over; undefined: none of its loops is long. */
  signal?: Signal
}

/**
 * For what only reads: once the operation is over, no command is sent for it any more. A write must not stop half-way like this, as it
 * may be the next step that makes the one before complete.
 */
export function reading(context: Context, signal: Signal): Context {
  return { ...context, gateway: context.gateway.until(signal), signal }
}

/** Ends a loop whose operation is over. */
export function assertGoingOn({ signal, options }: Context): void {
  if (signal?.aborted) throw timedOut(options.timeoutMs)
}
