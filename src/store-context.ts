import type { EventEmitter } from 'node:events'
import { Activity } from './admin/activity.js'
import type { AdminAccess } from './admin/admin-access.js'
import { Keyspace } from './admin/keyspace.js'
import { NearCache } from './cache/near-cache.js'
import { ReadThrough } from './cache/read-through.js'
import { Announcer } from './events.js'
import { codecOf } from './hash/encryption.js'
import { idMapper } from './ids/id-mapper.js'
import { limiterOf } from './indexes/limit.js'
import { PropertyMerger } from './merge/merger.js'
import { HandOver } from './on-end/hand-over.js'
import type { ResolvedOptions } from './options.js'
import { Availability } from './redis/availability.js'
import { deadlines } from './redis/deadline.js'
import { Gateway } from './redis/gateway.js'
import { Keys } from './redis/keys.js'
import { RedisClock } from './redis/redis-clock.js'
import { Replicas } from './redis/replicas.js'
import { SideHealth } from './redis/side-health.js'
import type { Context } from './session/context.js'
import { Creations } from './session/pending-creations.js'
import { SessionQueue } from './session/session-queue.js'
import { UnindexedStrings } from './session/unindexed-strings.js'
import { Endings } from './watch/endings.js'

/**
 * The parts of a store: the Context, and the features that the store uses and closes. A feature that is off is
 * undefined.
 */
export interface StoreParts extends AdminAccess {
  availability: Availability
  endings: Endings
  near: NearCache | undefined
  handOver: HandOver | undefined
}

/**
 * Builds the parts of a store from its options.
 *
 * @param emitter the store, which emits the events
 */
export function storeParts(options: ResolvedOptions, emitter: EventEmitter): StoreParts {
  const announcer = new Announcer(emitter)
  const { availability, gateway, within } = connection(options, announcer, emitter)
  const keys = new Keys(options.prefix)
  const context: Context = {
    options,
    announcer,
    gateway,
    keys,
    clock: clockOf(options, gateway),
    ids: idMapper(options.hashIds, options.acceptPlainIds),
    codec: codecOf(options.encryption),
    creations: new Creations(),
    queue: new SessionQueue(options.timeoutMs),
    strings: new UnindexedStrings(),
    replicas: replicasOf(options, keys, announcer),
    endOfLife: undefined,
    limiter: options.limit && limiterOf(options.limit),
    cache: undefined,
    merger: options.merge && new PropertyMerger({ options }),
  }
  const handOver = options.onEnd && new HandOver(context, options.onEnd, within)
  context.endOfLife = handOver
  const near = nearCacheOf(options, announcer)
  context.cache = near && new ReadThrough(context, near)
  gateway.onWrite = near && ((key) => near.forget(key))
  warnOfSettings(options, announcer)
  return {
    context,
    within,
    availability,
    keyspace: new Keyspace(context, within),
    endings: endingsOf(context, announcer),
    near,
    handOver,
    activity: options.activity ? new Activity(context, within) : undefined,
    closers: new Set(),
    emitter,
  }
}

function connection(
  { client, timeoutMs, onUnavailable }: ResolvedOptions,
  announcer: Announcer,
  emitter: EventEmitter,
): Pick<StoreParts, 'availability' | 'within'> & { gateway: Gateway } {
  const availability: Availability = new Availability({
    client,
    timeoutMs,
    announcer,
    emitter,
    goOn: onUnavailable === 'anonymous',
    probe: (key) => withinProbe(() => gateway.probe(key)),
  })
  const isConnected = () => client.isReady
  const failed = (err: unknown) => availability.failed(err)
  const within = deadlines(timeoutMs, isConnected, failed)
  // An application may end while its store is looking for a Redis that is away.
  const withinProbe = deadlines(timeoutMs, isConnected, failed, false)
  const gateway: Gateway = new Gateway(client, timeoutMs, availability)
  return { availability, gateway, within }
}

/** Makes a clock that learns Redis's time from the replies of scripts. */
function clockOf({ client }: ResolvedOptions, gateway: Gateway): RedisClock {
  const clock = new RedisClock(client)
  gateway.onTime = (key, redisMs, sentAt) => clock.learn(key, sentAt, redisMs)
  return clock
}

function replicasOf(options: ResolvedOptions, keys: Keys, announcer: Announcer): Replicas | undefined {
  const { client, replicas: count, timeoutMs } = options
  if (count === 0) return undefined
  const replicas = new Replicas(client, keys, count, timeoutMs, new SideHealth('replicas', announcer))
  replicas.open()
  return replicas
}

function nearCacheOf({ client, prefix, cache }: ResolvedOptions, announcer: Announcer): NearCache | undefined {
  if (cache === undefined) return undefined
  return new NearCache(client, prefix, cache, new SideHealth('cache', announcer), (why) => {
    const message = `Redis does not tell which sessions change (CLIENT TRACKING), so none is cached: ${why}`
    announcer.announce('warning', { code: 'cache-off', message })
  })
}

function endingsOf(context: Context, announcer: Announcer): Endings {
  const endings = new Endings(context)
  announcer.onEnded = (ended) => endings.happened(ended)
  return endings
}

function warnOfSettings({ client }: ResolvedOptions, announcer: Announcer): void {
  const { harmfulSettings, harmlessSettings } = client
  if (harmfulSettings.length === 0) return
  const message = `settings of the Redis client do harm: ${harmfulSettings.join('; ')}. ${harmlessSettings}`
  // Deferred so that the application can attach a listener first.
  process.nextTick(() => announcer.announce('warning', { code: 'client-settings', message }))
}
