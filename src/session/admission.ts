import { type Admission, type Generation, standingOf } from '../hash/renewal-field.js'
import type { Sid } from '../ids/sid.js'
import { IN_GRACE } from '../redis/scripts/renew.js'
import type { Context } from './context.js'

/** Tells how an id may be used. Needs a command, and thus a promise, only for an id of an earlier generation. */
export function admissionOf(
  context: Context,
  storedId: string,
  sid: Sid,
  latest: Generation | undefined,
): Admission | Promise<Admission> {
  const standing = standingOf(sid, latest)
  return standing === 'outdated' ? admissionOfOutdated(context, storedId, sid) : standing
}

async function admissionOfOutdated({ gateway, keys }: Context, storedId: string, sid: Sid): Promise<Admission> {
  const grace = await gateway.script(IN_GRACE, keys.session(storedId), [sid.generation])
  if (grace === 'unknown') return 'unknown'
  return grace === 'within' ? 'superseded' : 'reused'
}
