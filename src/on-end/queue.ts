import type { Within } from '../redis/deadline.js'
import { DUE, SCHEDULE, UNSCHEDULE } from '../redis/scripts/ends-queue.js'
import type { Context } from '../session/context.js'

/*
 * Stores when each session must be checked because it will have ended (`onEnd` option). The queue is several sorted
 * sets of stored ids, so that no single key carries the load of a whole Cluster.
 */

/** Number of due sessions per read. */
const PAGE = 50

/**
 * @param inMs from now
 * @param when `exactly`: at that time; `looked`: for a session that was due, unless another process has noted an
 * earlier time since; `claimed`: for a session that another process is handing over; `expiry`: for a session that is
 * about to be written
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
 * Schedules a session that is about to be written, because it will end at some time. Callers do not wait for it: in
 * a Cluster the queue may be unreachable while the session is reachable. If it fails, the next write makes up for
 * it. Never rejects.
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

/** @param at the time that was noted; undefined: remove the session only if its time has come */
export async function unschedule({ gateway, keys }: Context, storedId: string, at?: string): Promise<void> {
  await gateway.script(UNSCHEDULE, keys.endsOf(storedId), [storedId, at ?? ''])
}

export interface Due {
  storedIds: string[]
  /** Whether some queue holds more due sessions. */
  isMore: boolean
  /** Why some queue could not be read. */
  failure: Error | undefined
}

/**
 * Returns the due sessions of all queues that can be reached. If a queue has very many, only the most urgent ones
 * are returned.
 */
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
