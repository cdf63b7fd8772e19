import type { PrivateRedis } from './private-redis.js'

/**
 * Examines a Redis again while it is found slow: how fast it is, depends on what else this machine does.
 *
 * @param isSlow whether the doctor says so
 */
export async function unhurried<T>(
  redis: PrivateRedis,
  examine: () => Promise<T>,
  isSlow: (report: T) => boolean,
): Promise<T> {
  for (;;) {
    const report = await examine()
    if (!isSlow(report)) return report
    await redis.admin.call('SLOWLOG', 'RESET')
  }
}
