import type { ActivityStep } from '../admin/activity.js'
import { ERROR_CODES } from '../errors.js'
import type { AnyRedisStore } from '../store.js'

/** What each metric means. The names are those of Prometheus. */
export const HELP = {
  session_store_operations_total: 'Operations of the session store, by operation and outcome.',
  session_store_operation_duration_seconds: 'How long operations of the session store took.',
  session_store_errors_total: 'Operations of the session store that failed or were rejected, by code.',
  session_store_events_total: 'Events of the session store.',
  session_store_cache_requests_total: 'Reads with a near cache, by whether Redis was asked (miss) or not (hit).',
  session_store_available: 'Whether Redis answers: 0 while commands fail or time out, and Redis is probed.',
  session_store_side_connections_up: 'Whether the additional connections of the store work, by the option they serve.',
  session_store_active: 'Different users and sessions seen in the current minute, hour and day (UTC), so far.',
} as const

/** Seconds. A read takes a fraction of a millisecond, and `timeout` is a second by default. */
export const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** The codes that metrics have; whatever an application throws itself is `other`. */
export const METRIC_CODES: readonly string[] = [...ERROR_CODES, 'other']

/** Limits the values of the label `code` to those of this library. */
export function metricCode(code: string | undefined): string {
  return code !== undefined && METRIC_CODES.includes(code) ? code : 'other'
}

export interface ActiveCount {
  kind: 'users' | 'sessions'
  step: ActivityStep
  count: number
}

const STEPS: readonly ActivityStep[] = ['minute', 'hour', 'day']

/** Whether the store counts who is active (`activity` option). */
export function countsActive(store: AnyRedisStore): boolean {
  try {
    return store.activity !== undefined
  } catch {
    return false
  }
}

/**
 * Reads how many users and sessions have been active in the current minute, hour and day. Sends six PFCOUNT.
 *
 * @returns `[]` if Redis does not answer: a collector needs the other metrics all the more then
 */
export async function readActive(store: AnyRedisStore): Promise<ActiveCount[]> {
  const from = Date.now()
  const counts = STEPS.map(async (step) => {
    const point = (await store.activity.read({ from, to: from, step })).points.at(-1)
    const kinds = ['users', 'sessions'] as const
    return kinds.map((kind) => ({ kind, step, count: point?.[kind] ?? 0 }))
  })
  return Promise.all(counts).then(
    (found) => found.flat(),
    () => [],
  )
}
