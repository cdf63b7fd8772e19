import { DUE, SCHEDULE, UNSCHEDULE } from '../redis/scripts/ends-queue.js'
import type { Context } from './context.js'

/*
 * When each session is to be looked at because it will have ended (`onEnd` option): sorted sets of stored ids, several,
 * so that no single one carries the load of a whole Cluster.
 */

/** How many sessions that are due are told of at once. */
const PAGE = 50

/**
 * @param inMs from now
 * @param when `latest`: not sooner than somebody else has said
 * @returns the time that is noted, for `unschedule`
 */
export async function schedule(
  { gateway, keys, options }: Context,
  storedId: string,
  inMs: number,
  when: 'latest' | 'exactly',
): Promise<string> {
  const args = [storedId, Math.max(0, Math.round(inMs)), when === 'exactly' ? 1 : 0, options.keepMs]
  const [, at] = (await gateway.script(SCHEDULE, keys.endsOf(storedId), args)) as [number, string]
  return at
}

/** Of a session that is about to be written: sooner or later it ends. What fails is made up for by the next write. */
export async function scheduleExpiry(
  context: Context,
  storedId: string,
  idleMs: number,
  createdAtMs = Date.now(),
): Promise<void> {
  const { onEnd, disableTTL, absoluteMs = Infinity } = context.options
  if (onEnd === undefined || disableTTL) return
  const leftMs = Math.min(idleMs, createdAtMs + absoluteMs - Date.now())
  await schedule(context, storedId, leftMs, 'latest').catch(() => undefined)
}

/** @param at the time that was noted; undefined: if it has come */
export async function unschedule({ gateway, keys }: Context, storedId: string, at?: string): Promise<void> {
  await gateway.script(UNSCHEDULE, keys.endsOf(storedId), [storedId, at ?? ''])
}

/** Those that are due, of all queues; the most urgent of each if there are very many. */
export async function dueSessions({ gateway, keys }: Context): Promise<string[]> {
  const due = await Promise.all(keys.allEnds().map((key) => gateway.script(DUE, key, [PAGE])))
  return due.flatMap((reply) => (reply as [number, ...string[]]).slice(1) as string[])
}
