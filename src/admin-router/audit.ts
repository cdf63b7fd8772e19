import type { AuditEntry } from '../events.js'
import { inTime } from './in-time.js'
import type { ResolvedAdminRouter } from './options.js'

/** Tells the application, and the listeners of the store, what somebody has done. Rejects if the application does not take it. */
export async function audit(
  { audit: tell, access }: ResolvedAdminRouter,
  entry: Omit<AuditEntry, 'at'>,
  ms: number,
): Promise<void> {
  const whole: AuditEntry = { at: new Date(), ...entry }
  access.context.announcer.announce('audit', whole)
  await inTime('audit', ms, () => tell({ ...whole }))
}
