import type { Context } from './context.js'
import { convertString, type KeptTime } from './convert-string.js'
import type { Loaded, SessionRecord } from './session-record.js'
import { snapshot } from './snapshot.js'

/**
 * Turns a string of connect-redis into a hash with the same content and the same time to live. This is no use of the
 * session.
 *
 * @param loaded what has been loaded from the string; if connect-redis writes meanwhile, its changes are taken over
 * @param kept default: as for a store, which knows the idle timeout of its sessions, and lets none live for ever
 * @returns false if there is no session any more
 */
export async function convertInPlace(
  context: Context,
  { session, record }: Loaded,
  kept: KeptTime = { isIdleKnown: true, mayBeEndless: false },
): Promise<boolean> {
  if (record.origin.kind !== 'string') return true
  const next = snapshot(context, session, record)
  const leftMs = kept.leftMs ?? (await leftFor(context, record))
  return convertString(context, record, record.origin.sha1, next, { set: [], remove: [] }, { ...kept, leftMs })
}

/** Returns how long the session still lives, if `onEnd` has to hear of its end in time. Costs PTTL then. */
async function leftFor({ endOfLife, gateway, keys }: Context, record: SessionRecord): Promise<number | undefined> {
  if (endOfLife === undefined) return undefined
  const ms = await gateway.pttl(keys.session(record.storedId))
  return ms > 0 ? ms : undefined
}
