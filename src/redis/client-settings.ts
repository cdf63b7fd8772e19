import { isCluster, type RedisClient } from './client.js'
import { optionsOf } from './clients/ioredis-internals.js'

type Options = Readonly<Record<string, unknown>>

/**
 * Finds settings of the application's client that do harm in spite of the store's own `timeout`. A plain `new Redis()`
 * has none.
 *
 * @returns a sentence that names each harmful setting, or undefined
 */
export function harmfulSettings(client: RedisClient): string | undefined {
  const options = optionsOf(client)
  if (options === undefined) return undefined
  const found = [...(isCluster(client) ? ofCluster(options) : ofConnection(options))]
  if (found.length === 0) return undefined
  return `settings of the Redis client do harm: ${found.join('; ')}. connectRedis() makes a client without them`
}

function* ofCluster(options: Options): Generator<string> {
  if (options.scaleReads !== 'master') {
    yield '"scaleReads" lets replicas answer, which serve sessions that have just been ended'
  }
  if (options.enableAutoPipelining === true) {
    yield '"enableAutoPipelining" makes requests fail while the Cluster moves slots'
  }
  if (typeof options.clusterRetryStrategy !== 'function') {
    yield '"clusterRetryStrategy" is no function, so the client never connects again'
  }
}

function* ofConnection(options: Options): Generator<string> {
  if (typeof options.retryStrategy !== 'function') {
    yield '"retryStrategy" is no function, so the client never connects again'
  }
  const keepsAll = options.maxRetriesPerRequest === null || Number(options.maxRetriesPerRequest) < 0
  // Without a retry strategy, ioredis fails the commands when it gives up the connection.
  if (keepsAll && options.enableOfflineQueue !== false && typeof options.retryStrategy === 'function') {
    yield '"maxRetriesPerRequest: null" keeps any number of commands while Redis is away, and sends them when it is back'
  }
  if (!options.sentinels) return
  if (options.role === 'slave') {
    yield '"role: \'slave\'" reads from a replica, which serves sessions that have just been ended, and can write nothing'
  }
  if (options.failoverDetector !== true && !(Number(options.socketTimeout) > 0)) {
    yield 'Sentinels without "failoverDetector: true" leave the client with a master that hangs and has been replaced'
  }
}
