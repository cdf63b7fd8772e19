import { scanIndexKeys, scanStoredIds } from '../redis/scan.js'
import { PASS_TIME } from '../redis/scripts/pass-time.js'
import type { AnyRedisStore } from '../store.js'
import { accessOf } from './access-of.js'
import { refuseProduction } from './refuse-production.js'

/**
 * Lets time pass for all sessions of a store: they are afterwards as they would be if nobody had used them for so many
 * seconds. Idle and absolute timeouts, logins, renewals, bound devices, indexes and `onEnd` take part; what has run out
 * is gone. Counts of activity stay.
 *
 * It changes what Redis holds, not the clock. So call it between requests, not during one, and cookies in a browser stay.
 *
 * @param seconds above 0
 * @throws TypeError for a wrong store or number; Error with NODE_ENV=production; SessionStoreError if Redis fails
 */
export async function passTime(store: AnyRedisStore, seconds: number): Promise<void> {
  refuseProduction('passTime()')
  const { context, within } = accessOf(store, 'passTime()')
  if (!(Number.isFinite(seconds) && seconds > 0)) throw new TypeError('passTime(store, seconds) needs seconds above 0')
  const { gateway, keys, options } = context
  const age = (batch: readonly string[]) =>
    within(Promise.all(batch.map((key) => gateway.script(PASS_TIME, key, [Math.round(seconds * 1000)]))))
  for await (const ids of scanStoredIds(options.client, keys, options.scanCount, within)) {
    await age(ids.map((id) => keys.session(id)))
  }
  for await (const others of scanIndexKeys(options.client, keys, options.scanCount, within)) {
    await age(others.filter((key) => keys.indexName(key) !== '@activity'))
  }
}
