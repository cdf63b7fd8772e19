import { latestSid, newSecret, type Presented } from '../hash/renewal-field.js'
import { handleOf } from '../ids/handle.js'
import { CONFIRM, RENEW } from '../redis/scripts/renew.js'
import type { Context } from '../session/context.js'
import { moveHome } from '../session/move.js'
import type { SessionRecord } from '../session/session-record.js'

export interface RenewalTerms {
  /** Milliseconds after which an id is renewed; undefined: no new id is issued. */
  everyMs: number | undefined
  /** Milliseconds. */
  graceMs: number
}

/** `next`: the client must use this id from now on. */
export type Renewal = { kind: 'current' | 'superseded' | 'gone' } | { kind: 'next'; sid: string }

/**
 * Issues the next id of a loaded session if it is due, or finds out which one has been issued. This takes one
 * script.
 */
export async function renewSession(
  context: Context,
  record: SessionRecord,
  presented: Presented,
  { everyMs, graceMs }: RenewalTerms,
): Promise<Renewal> {
  if (record.origin.kind === 'string') return { kind: 'current' }
  await moveHome(context, record)
  const { gateway, keys, options, announcer } = context
  const args = [record.origin.meta.created, presented.sid.generation, everyMs ?? '', graceMs, newSecret()]
  const reply = await gateway.script(RENEW, keys.session(record.storedId), [...args, options.absoluteMs ?? ''])
  if (reply.kind !== 'issued' && reply.kind !== 'pending') return reply
  if (reply.kind === 'issued') announcer.announce('renewed', { handle: handleOf(record.storedId) })
  return { kind: 'next', sid: latestSid(presented.sid.first, reply.latest) }
}

/** Records that the client has received the id issued last. The previous id is out of date from then on. */
export async function confirmId(context: Context, record: SessionRecord, presented: Presented): Promise<void> {
  if (record.origin.kind === 'string') return
  await moveHome(context, record)
  const { gateway, keys, options } = context
  const args = [record.origin.meta.created, presented.sid.generation, options.absoluteMs ?? '']
  const reply = await gateway.script(CONFIRM, keys.session(record.storedId), args)
  if (reply.kind === 'superseded') presented.admission = 'superseded'
  if (reply.kind !== 'confirmed') return
  presented.admission = 'current'
  presented.issuedAtMs = reply.latest.sinceMs
}
