import type { PrivateRedis } from './private-redis.js'
import { DEBUG_ARGS, isRedisSince } from './server.js'

/** Redis answers other commands after each so many bytes. Redis before 6.2 does so after 2 MiB, and has no setting. */
const INTERVAL = isRedisSince(6, 2) ? 1024 : 2 * 1024 * 1024
const KEYS = isRedisSince(6, 2) ? 3000 : 60
const SECONDS = isRedisSince(6, 2) ? 9 : 6

/** Arguments of redis-server for `beginLoading`. */
export const LOADING_ARGS = [
  ...DEBUG_ARGS,
  ...['--rdbcompression', 'no'],
  ...(isRedisSince(6, 2) ? ['--loading-process-events-interval-bytes', String(INTERVAL)] : []),
]

/**
 * Makes Redis read its data again and answer LOADING meanwhile, for some seconds. `end` lets it come to an end.
 *
 * @param redis a server with LOADING_ARGS; its keys `other:*` are written
 */
export async function beginLoading(redis: PrivateRedis): Promise<{ end(): Promise<void> }> {
  const filling = redis.admin.pipeline()
  for (let i = 0; i < KEYS; i++) filling.setrange(`other:${i}`, Math.max(200, INTERVAL), 'x')
  await filling.exec()
  await redis.admin.config('SET', 'key-load-delay', String(Math.round((SECONDS * 1e6) / KEYS)))
  const reloading = redis.connect().call('DEBUG', 'RELOAD')
  while (!String(await redis.admin.get('x').catch(String)).includes('LOADING'));
  return {
    async end() {
      // Redis before 6.2 takes no setting meanwhile.
      if (!isRedisSince(6, 2)) await reloading
      await redis.admin.config('SET', 'key-load-delay', '0')
      await reloading
    },
  }
}
