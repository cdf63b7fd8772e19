import { afterSave, type Bookkeeping, idleOf, nextCount } from '../hash/bookkeeping.js'
import { QUICK_SAVE } from '../redis/scripts/quick-save.js'
import type { Context } from './context.js'
import { type Delta, isEmpty } from './delta.js'
import type { SessionRecord } from './session-record.js'
import { isUndercounted, weightOf } from './size.js'
import { expiryMode } from './snapshot.js'
import { acceptWrite, type WriteReply } from './write-reply.js'

/** Lua's stack limits how many arguments one call may take. */
const MAX_FIELDS = 1000

/**
 * Writes changes with the short script, which does so only if nobody has written to the session since it was loaded.
 * Every write of properties changes the `@` field, so it is enough to compare that one. Lease and flags stay as they are.
 *
 * Must be called before the fields of the delta become uncertain.
 *
 * @param slides whether the write refreshes the expiry
 * @param atLength takes the long way, the UPDATE script; called if Redis says that somebody has written
 * @returns undefined if it is known already that there is no short way
 */
export function quickSave(
  context: Context,
  record: SessionRecord,
  delta: Delta,
  slides: boolean,
  atLength: () => Promise<WriteReply>,
): Promise<WriteReply> | undefined {
  const { origin } = record
  if (origin.kind === 'string' || !isPossible(context, record, origin.meta, delta, slides)) return undefined
  const next = nextOf(context, record, origin.meta, delta, slides)
  if (next === undefined) return undefined
  const args = [origin.meta.text, next.text, slides ? lifeOf(context, origin.meta) : ''].concat(...delta.set)
  return context.gateway.script(QUICK_SAVE, context.keys.session(record.storedId), args).then((reply) => {
    if (reply === false) return atLength()
    return acceptWrite<WriteReply>(context, {
      kind: 'written',
      meta: reply === true ? next : reply,
      isExpirySet: reply === true,
    })
  })
}

function isPossible(
  context: Context,
  record: SessionRecord,
  meta: Bookkeeping,
  delta: Delta,
  slides: boolean,
): boolean {
  const mode = expiryMode(context)
  return (
    meta.isOrdinary &&
    (mode === 'expire' || (mode === 'none' && !slides)) &&
    context.codec.isPlain &&
    record.isWhole &&
    record.isCertain &&
    delta.remove.length === 0 &&
    delta.set.length <= MAX_FIELDS / 2 - 1 &&
    !isUndercounted(record)
  )
}

/** Returns the bookkeeping after the write; undefined if it cannot be told, or if the session would become too large. */
function nextOf(
  { options, clock, keys }: Context,
  record: SessionRecord,
  meta: Bookkeeping,
  delta: Delta,
  slides: boolean,
): Bookkeeping | undefined {
  if (meta.size === undefined) return undefined
  let growth = 0
  for (const [field, text] of delta.set) growth += weightOf(field, text) - weightOf(field, record.heldText(field))
  const size = meta.size + growth
  // The long way counts before it refuses anything.
  if (size < 0 || (growth > 0 && size > options.maxBytes)) return undefined
  const saves = isEmpty(delta) ? meta.saves : nextCount(meta.saves)
  if (!slides) return afterSave(meta, saves, size, meta.seenAtMs)
  // Redis refreshes the expiry by its own clock. When the session was last seen may be told a round trip too early.
  const now = clock.earliestMs(keys.session(record.storedId))
  return now === undefined ? undefined : afterSave(meta, saves, size, Math.max(meta.seenAtMs, Math.floor(now)))
}

function lifeOf({ options: { absoluteMs } }: Context, meta: Bookkeeping): string {
  const idle = idleOf(meta)
  return absoluteMs === undefined ? String(idle) : `${idle} ${Math.floor(meta.createdAtMs + absoluteMs)}`
}
