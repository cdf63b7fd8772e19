import { randomBytes } from 'node:crypto'
import { FLAG } from '../../hash/bookkeeping.js'
import { entriesIn, type IndexEntry } from '../../hash/index-fields.js'
import { ARRIVE, CLEAR_AWAY, DEPART, PACK, type Packed, SETTLE } from '../../redis/scripts/move.js'
import type { Context } from '../../session/context.js'
import { enter, leave } from '../../session/index-entries.js'
import { dropCopy, hasArrived, type Move } from '../../session/leftovers.js'
import { type Found, reencoded } from '../../session/move.js'

/** How often a session may change during attempts to move it, before it is left where it is. */
const ATTEMPTS = 20

/**
 * Moves a session to another prefix, by the steps of session/move.ts. No process knows both prefixes, so a call that was
 * stopped half-way leaves a marker that only the next call can follow.
 *
 * @param to stored id under the new prefix
 */
export async function moveToPrefix(source: Context, target: Context, from: string, to: string): Promise<Found> {
  let replaceable = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const packed = await source.gateway.script(PACK, source.keys.session(from), ['', 1])
    if (packed.kind === 'moved') {
      await settle(source, target, { from, to: packed.to, token: packed.token })
      return 'moved'
    }
    if (packed.kind === 'arriving') {
      if (!(await hasArrived(source, from))) return 'nothing'
      continue
    }
    if (packed.kind !== 'packed') return packed.kind
    const outcome = await carry(source, target, packed, { from, to, token: replaceable })
    if (typeof outcome === 'string') return outcome
    replaceable = outcome.replaceable
  }
  return 'stays'
}

/** @param way its token is that of a copy that may be replaced; '' = none */
async function carry(
  source: Context,
  target: Context,
  packed: Packed,
  { from, to, token }: Move,
): Promise<Found | { replaceable: string }> {
  const entries = entriesIn(packed.fields)
  const keptMs = packed.meta.isKept ? source.options.keepMs : 0
  const leftMs = packed.ttlMs < 0 ? packed.meta.idleMs : packed.ttlMs - keptMs
  await enter(target, to, entries, leftMs)
  void target.endOfLife?.expect(to, leftMs)
  const own = `${packed.state}.${randomBytes(12).toString('base64url')}`
  const head = [packed.metaText, packed.state, own, token, from, packed.expiresAt]
  const copy = from === to ? packed.fields : reencoded(source, packed, from, to)
  const reply = await target.gateway.script(ARRIVE, target.keys.session(to), [...head, ...copy.flat()])
  if (reply.kind === 'other-copy') return { replaceable: reply.token }
  if (reply.kind !== 'copied') return 'stays'
  const move = { from, to, token: reply.token }
  if (await source.gateway.script(DEPART, source.keys.session(from), [packed.state, to, move.token])) {
    await settle(source, target, move)
    await settleEntries(source, target, move, entries, leftMs)
    return 'moved'
  }
  await dropCopy(target, to, move.token)
  return { replaceable: '' }
}

async function settle(source: Context, target: Context, { from, to, token }: Move): Promise<void> {
  await target.gateway.script(SETTLE, target.keys.session(to), [token])
  await source.gateway.script(CLEAR_AWAY, source.keys.session(from), [FLAG.moved, token])
}

/** An operation that looked for the session while it was arriving may have dropped its new entries. */
async function settleEntries(
  source: Context,
  target: Context,
  { from, to }: Move,
  entries: readonly IndexEntry[],
  leftMs: number,
): Promise<void> {
  await enter(target, to, entries, leftMs)
  await leave(source, from, entries)
}
