import type { NearCache } from '../cache/near-cache.js'
import type { Announcer } from '../events.js'
import type { ResolvedOptions } from '../options.js'
import type { Gateway } from '../redis/gateway.js'
import type { Keys } from '../redis/keys.js'
import type { RedisClock } from '../redis/redis-clock.js'
import type { Replicas } from '../redis/replicas.js'
import type { IdMapper } from '../redis/sid.js'
import type { Codec } from './codec.js'
import type { Creations } from './creations.js'
import type { EndOfLife } from './end-of-life.js'

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
}
