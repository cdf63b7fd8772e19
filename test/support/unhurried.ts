import type { PrivateRedis } from './private-redis.js'

/**
 * Examines a Redis again while the doctor finds it slow, because its speed depends on the load of this machine.
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
