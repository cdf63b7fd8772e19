import type { Bookkeeping } from '../hash/bookkeeping.js'
import { isSameLifetime } from '../hash/live-cookie.js'
import { DEFAULT_TOUCH_INTERVAL_MS, type ResolvedOptions } from '../options.js'
import type { Context } from './context.js'
import type { SessionRecord } from './session-record.js'
import { type Lease, outlives } from './snapshot.js'

/** Whether the expiry in Redis or the cookie must be written again. */
export function isTouchDue(context: Context, { storedId }: SessionRecord, meta: Bookkeeping, next: Lease): boolean {
  const { options, clock, keys } = context
  if (next.cookie.flags !== meta.flags || meta.unexpiring) return true
  if (meta.isKept !== outlives(context)) return true
  if (options.disableTouch) return false
  if (!isSameLifetime(next.idle, meta.idleMs)) return true
  const now = clock.latestMs(keys.session(storedId))
  // The clock of this machine may be wrong. If Redis's clock is unknown, a refresh is safe, and its reply tells the
  // time.
  if (now === undefined) return true
  const age = now - meta.seenAtMs
  return age < 0 || age >= touchIntervalMs(next.idle, options)
}

/** Returns how old the last refresh may be before a request refreshes again. */
function touchIntervalMs(idle: number, options: ResolvedOptions): number {
  if (options.touchIntervalMs === undefined) return Math.min(DEFAULT_TOUCH_INTERVAL_MS, idle / 20)
  return Math.min(options.touchIntervalMs, idle / 2)
}
