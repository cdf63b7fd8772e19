import type { Within } from '../redis/deadline.js'
import { DUE, SCHEDULE, UNSCHEDULE } from '../redis/scripts/ends-queue.js'
import type { Context } from '../session/context.js'

/*
 * When each session is to be looked at because it will have ended (`onEnd` option): sorted sets of stored ids, several,
 * so that no single one carries the load of a whole Cluster.
 */

/** How many sessions that are due are told of at once. */
const PAGE = 50

/**
 * @param inMs from now
 * @param when `looked`: of what was due, unless somebody has said sooner since; `claimed`: of what somebody
 * else is telling of; `expiry`: of what is about to be written
 * @returns the time that is noted, for `unschedule`
 */
export function schedule(
  { gateway, keys, options }: Context,
  storedId: string,
  inMs: number,
  when: 'exactly' | 'looked' | 'claimed' | 'expiry',
): Promise<string> {
  const args = [storedId, Math.max(0, Math.round(inMs)), when, options.keepMs]
  return gateway.script(SCHEDULE, keys.endsOf(storedId), args)
}

/**
 * Of a session that is about to be written: sooner or later it ends. Not to be waited for, as in a Cluster the queue may be
 * out of reach where the session is not; what fails is made up for by the next write. Never rejects.
 */
export async function scheduleExpiry(
  context: Context,
  storedId: string,
  idleMs: number,
  createdAtMs = Date.now(),
): Promise<void> {
  const { disableTTL, absoluteMs = Infinity } = context.options
  if (disableTTL) return
  const leftMs = Math.min(idleMs, createdAtMs + absoluteMs - Date.now())
  await schedule(context, storedId, leftMs, 'expiry').catch(() => undefined)
}

/** @param at the time that was noted; undefined: if it has come */
export async function unschedule({ gateway, keys }: Context, storedId: string, at?: string): Promise<void> {
  await gateway.script(UNSCHEDULE, keys.endsOf(storedId), [storedId, at ?? ''])
}

export interface Due {
  storedIds: string[]
  /** Some queue holds more than this. */
  isMore: boolean
  /** Why some queue could not be asked. */
  failure: Error | undefined
}

/** Those that are due, of all queues that can be reached; the most urgent of each if there are very many. */
export async function dueSessions({ gateway, keys }: Context, within: Within): Promise<Due> {
  const asked = keys.allEnds().map((key) => within(gateway.script(DUE, key, [PAGE])))
  const answers = await Promise.allSettled(asked)
  const found = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const failed = answers.find((answer) => answer.status === 'rejected')
  return {
    storedIds: found.flat(),
    isMore: found.some((ids) => ids.length === PAGE),
    failure: failed?.reason as Error | undefined,
  }
}
