import { type Ioredis, isCluster, optionsOf } from './internals.js'

type Options = Readonly<Record<string, unknown>>

/** Finds settings that do harm in spite of the store's own `timeout`: a clause about each. A plain `new Redis()` has none. */
export function harmfulSettings(client: Ioredis): string[] {
  const options = optionsOf(client)
  if (options === undefined) return []
  return [...(isCluster(client) ? ofCluster(options) : ofConnection(options))]
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
