import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BOOKKEEPING_FIELD, parseBookkeeping } from '../hash/bookkeeping.js'
import { entriesIn } from '../hash/index-fields.js'
import type { StoredIds } from '../ids/id-mapper.js'
import { ARRIVE, DEPART, PACK, type Packed } from '../redis/scripts/move.js'
import type { Context } from './context.js'
import { endRevoked } from './end-key.js'
import { firstOf } from './first-found.js'
import { enterNext, leaveNext, settleOrEnd } from './going-on.js'
import { leave } from './index-entries.js'
import { complete, dropCopy, hasArrived } from './leftovers.js'
import type { SessionRecord } from './session-record.js'

/** How often a session may change while it is to be moved, before it is left where it is. */
const ATTEMPTS = 20
/** No operation meets more than one move: what refuses a write more often than that does so for another reason. */
const WRITES = 3
const PAUSE_MS = 10

/** What `bringHome` found under an old id. `stays`: it is to be used there. */
export type Found = 'nothing' | 'moved' | 'string' | 'stays'

/**
 * Moves a session from the stored id that an older `hashIds` setting gave it to the current one. The two keys may be on
 * different Cluster nodes, so there is neither RENAME nor a script on both; any process may stop after any step, and
 * several may move the same session at once.
 *
 *     1 PACK old        reads it, and what state it is in
 *     2 ARRIVE new      a copy with flag Y, which every reader and writer takes for absent, and a token
 *     3 DEPART old      if it is still in that state, a marker with flag Z takes its place: the copy is the session now
 *     4 SETTLE new      drops the Y of the copy with this token
 *     5 CLEAR_AWAY old  deletes the marker
 *
 * The session moves in one moment, which is 3. Before, it is under the old id, read and written there as ever; what has been written
 * since 1 makes 3 fail, and the next copy has it. From then on it is the copy: whoever comes upon it and finds the marker with its
 * token does 4 and 5 first, so that it does not matter where a process stops (session/leftovers.ts). Marker and copy live
 * as long as the session would have.
 *
 * No copy of a state that may still depart is lost: one is replaced only by who has seen it and afterwards read the session in
 * another state; and no state comes back.
 *
 * No resurrection: who ends a session deletes the old key and after it the new one (`endingOrder`). For 3 to succeed, the old
 * key was there, and so the copy, whose token the marker has: it is deleted with the new key. A copy made later has another token.
 * Who finds the marker ends what it leads to.
 *
 * Not to and fro: during a deployment servers may disagree which id is the current one. What has arrived stays for a
 * minute (`@moved`), so that no operation meets more than one move; it is used where it is.
 */
export async function bringHome(context: Context, from: string, to: string): Promise<Found> {
  const { gateway, keys, options } = context
  let replaceable = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 1) await sleep(PAUSE_MS)
    const packed = await gateway.script(PACK, keys.session(from), [options.absoluteMs ?? ''])
    if (packed.kind === 'moved') {
      await complete(context, { from, to: packed.to, token: packed.token })
      return 'moved'
    }
    if (packed.kind === 'arriving') {
      if (!(await hasArrived(context, from))) return 'nothing'
      continue
    }
    if (packed.kind !== 'packed') return packed.kind
    const outcome = await moveOnce(context, packed, from, to, replaceable)
    if (outcome === 'moved') return 'moved'
    replaceable = outcome.replaceable
  }
  // Written all the time, by servers that use it where it is: so can we.
  return 'stays'
}

/** If something has come in between, the session is to be read again; a copy that stood in the way may then be replaced. */
async function moveOnce(
  context: Context,
  packed: Packed,
  from: string,
  to: string,
  replaceable: string,
): Promise<'moved' | { replaceable: string }> {
  const entries = entriesIn(packed.fields)
  const leftMs = packed.meta.isKept ? packed.ttlMs - context.options.keepMs : packed.ttlMs
  const idleMs = packed.ttlMs < 0 ? packed.meta.idleMs : leftMs
  const next = { from, to, ids: [from, to], held: entries, entries }
  if (!(await enterNext(context, next, entries, context.options.disableTTL ? '' : idleMs))) {
    await endRevoked(context, from)
    return 'moved'
  }
  void context.endOfLife?.expect(to, idleMs)
  const outcome = await carry(context, packed, { from, to, replaceable })
  if (outcome !== 'moved') {
    await leaveNext(context, next)
    return outcome === 'blocked' ? 'moved' : outcome
  }
  await leave(context, from, entries)
  await settleOrEnd(context, next, entries, idleMs)
  return 'moved'
}

interface Way {
  from: string
  to: string
  /** Token of a copy that may be replaced; '' = none. */
  replaceable: string
}

/** Steps 2 to 5. `blocked`: the new key is none of ours. */
async function carry(
  context: Context,
  packed: Packed,
  { from, to, replaceable }: Way,
): Promise<'moved' | 'blocked' | { replaceable: string }> {
  const { gateway, keys } = context
  const ownToken = `${packed.state}.${randomBytes(12).toString('base64url')}`
  const head = [packed.metaText, packed.state, ownToken, replaceable, from, packed.ttlMs]
  const copy = reencoded(context, packed, from, to)
  const reply = await gateway.script(ARRIVE, keys.session(to), [...head, ...copy.flat()])
  if (reply.kind === 'foreign') return 'blocked'
  if (reply.kind === 'other-copy') return { replaceable: reply.token }
  if (reply.kind === 'kept') return { replaceable: '' }
  if (reply.kind === 'moved') {
    await complete(context, { from: to, to: reply.to, token: reply.token })
    return { replaceable: '' }
  }
  const copied = reply.kind === 'copied' ? { from, to, token: reply.token } : undefined
  const depart = [packed.state, copied?.to ?? '', copied?.token ?? '']
  const hasDeparted = await gateway.script(DEPART, keys.session(from), depart)
  if (hasDeparted) {
    if (copied !== undefined) await complete(context, copied)
    return 'moved'
  }
  if (copied !== undefined) await dropCopy(context, to, copied.token)
  return { replaceable: '' }
}

/** Ciphertext is bound to the stored id. What cannot be read moves as it is, and stays unreadable. */
function reencoded({ codec }: Context, { fields }: Packed, from: string, to: string): [string, string][] {
  const [before, after] = [codec.of(from), codec.of(to)]
  return fields.map(([field, stored]) => {
    try {
      return [field, after.encode(field, before.decode(field, stored).text)]
    } catch {
      return [field, stored]
    }
  })
}

/**
 * Writes to a session that may be moving, or have moved, from or to where somebody looked for it.
 *
 * @param write null if it found no session under this id
 * @param created stamp of the session that is meant, '' = whichever
 */
export async function writeWherever<T>(
  context: Context,
  storedIds: StoredIds,
  created: string,
  write: (storedId: string) => Promise<T | null>,
): Promise<T | null> {
  const [home, ...others] = storedIds
  for (let attempt = 0; attempt < WRITES; attempt++) {
    if (attempt > 0) await sleep(PAUSE_MS)
    for (const from of others) await bringHome(context, from, home)
    const written = await firstOf(storedIds, write)
    if (written !== null) return written
    // It may have been moving when we wrote, and have arrived since.
    if ((await firstOf(storedIds, (storedId) => isAt(context, storedId, created))) === null) break
  }
  return null
}

async function isAt(context: Context, storedId: string, created: string): Promise<true | null> {
  const { gateway, keys } = context
  const [text] = (await gateway.hmget(keys.session(storedId), [BOOKKEEPING_FIELD])) ?? []
  const meta = parseBookkeeping(text)
  if (meta === null || meta.hasMoved || meta.hasEnded || (created !== '' && meta.created !== created)) return null
  return meta.isArriving && !(await hasArrived(context, storedId)) ? null : true
}

/**
 * The keys to delete when a session ends, so that each is deleted after each other one: servers may disagree which way
 * the session is moving. `isGoingOn`: the same key comes once more.
 */
export function endingOrder(storedIds: readonly string[]): { storedId: string; isGoingOn: boolean }[] {
  const order = [...storedIds.toReversed(), ...storedIds.slice(1)]
  return order.map((storedId, i) => ({ storedId, isGoingOn: order.includes(storedId, i + 1) }))
}

/** Whether the session is under its current id, or a string, which is not moved. */
export function isHome({ storedId, storedIds, origin }: SessionRecord): boolean {
  return storedId === storedIds[0] || origin.kind === 'string'
}

/** A session that was loaded under an older id is used under the current one from here on. */
export async function moveHome(context: Context, record: SessionRecord): Promise<void> {
  if (isHome(record)) return
  const home = record.storedIds[0]
  // Also where nothing is left to move: whether it has ended, or another request has moved it, shows there.
  if ((await bringHome(context, record.storedId, home)) !== 'stays') record.storedId = home
}
