import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BOOKKEEPING_FIELD, parseBookkeeping } from '../hash/bookkeeping.js'
import { entriesIn } from '../hash/index-fields.js'
import type { StoredIds } from '../ids/id-mapper.js'
import { ARRIVE, DEPART, PACK, type Packed } from '../redis/scripts/move.js'
import type { Context } from './context.js'
import { endLost, enterNext, leaveNext, settlePair } from './continuation.js'
import { endRevoked } from './end-key.js'
import { firstOf } from './first-found.js'
import { leave } from './index-entries.js'
import { complete, dropCopy, hasArrived } from './leftovers.js'
import type { SessionRecord } from './session-record.js'

/** How often a session may change during attempts to move it, before it is left where it is. */
const ATTEMPTS = 20
/**
 * No operation meets more than one move. A write that is refused more often than that is refused for another reason.
 */
const WRITES = 3
const PAUSE_MS = 10

export interface MoveOptions {
  /** Nobody moves a session back from this id, so it need not stay where it has just arrived. Default false. */
  isOneWay?: boolean
  /** Fields that the session has no longer under its new id; every process drops the same. Default: none. */
  drops?: readonly string[]
}

/** What `bringHome` found under an old id. `stays`: the session must be used under the old id. */
export type Found = 'nothing' | 'moved' | 'string' | 'stays'

/**
 * Moves a session from the stored id that an older `hashIds` setting gave it to the current one. The two keys may be on
 * different Cluster nodes, so neither RENAME nor a script can cover both. Any process may stop after any step, and
 * several processes may move the same session at the same time.
 *
 *     1 PACK old        reads the session and its state
 *     2 ARRIVE new      writes a copy with a token and with flag Y; every reader and writer takes the copy for absent
 *     3 DEPART old      if the session is still in that state, replaces it by a marker with flag Z and the token of the
 *                       copy: the copy is the session now
 *     4 SETTLE new      drops the Y of the copy with this token
 *     5 CLEAR_AWAY old  deletes the marker
 *
 * The session moves at one moment, which is step 3. Before it, the session is under the old id, where requests read and
 * write it as usual. A write after step 1 makes step 3 fail, and the next copy contains that write. After step 3, the
 * copy is the session. An operation that comes upon the copy and finds the marker with its token does steps 4 and 5
 * first, so it does not matter where a process stops (session/leftovers.ts). Marker and copy live as long as the
 * session would have.
 *
 * No copy is lost while its state may still depart: a process replaces a copy only if it has seen that copy and has
 * read the session in another state afterwards; and no state comes back.
 *
 * A session that has been ended does not come back: the operation that ends it deletes the old key and then the new one
 * (`endingOrder`). Step 3 can succeed only while the old key exists. By then the copy whose token the marker holds
 * exists, too, so it is deleted with the new key. A copy made later has another token. An operation that finds the
 * marker ends the session that the marker leads to.
 *
 * A session does not move to and fro: during a deployment, servers may disagree which id is the current one. A session
 * that has arrived stays for a minute (`@moved`) and is used where it is, so no operation meets more than one move.
 */
export async function bringHome(
  context: Context,
  from: string,
  to: string,
  { isOneWay = false, drops = [] }: MoveOptions = {},
): Promise<Found> {
  const { gateway, keys, options } = context
  let replaceable = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 1) await sleep(PAUSE_MS)
    const packed = await gateway.script(PACK, keys.session(from), [options.absoluteMs ?? '', isOneWay ? 1 : ''])
    if (packed.kind === 'moved') {
      await complete(context, { from, to: packed.to, token: packed.token })
      return 'moved'
    }
    if (packed.kind === 'arriving') {
      if (!(await hasArrived(context, from))) return 'nothing'
      continue
    }
    if (packed.kind !== 'packed') return packed.kind
    const fields = packed.fields.filter(([field]) => !drops.includes(field))
    const outcome = await moveOnce(context, { ...packed, fields }, from, to, replaceable)
    if (outcome === 'moved') return 'moved'
    replaceable = outcome.replaceable
  }
  // Other servers keep writing the session where it is, so this server can use it there, too.
  return 'stays'
}

/**
 * Tries once to move a session. If another operation interferes, the caller must read the session again; it may then
 * replace the copy that was in the way.
 */
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
  await endLost(context, to, await settlePair(context, next, entries, idleMs))
  return 'moved'
}

interface Way {
  from: string
  to: string
  /** Token of a copy that may be replaced; '' = none. */
  replaceable: string
}

/** Does steps 2 to 5. `blocked`: the new key holds something that is not a session. */
async function carry(
  context: Context,
  packed: Packed,
  { from, to, replaceable }: Way,
): Promise<'moved' | 'blocked' | { replaceable: string }> {
  const { gateway, keys } = context
  const ownToken = `${packed.state}.${randomBytes(12).toString('base64url')}`
  const head = [packed.metaText, packed.state, ownToken, replaceable, from, packed.expiresAt]
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

/**
 * Encrypts the fields for the new stored id, because ciphertext is bound to the stored id. A field that cannot be read
 * moves unchanged and stays unreadable.
 */
export function reencoded({ codec }: Context, { fields }: Packed, from: string, to: string): [string, string][] {
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
 * Writes to a session that may be moving, or may have moved, between its stored ids.
 *
 * @param created creation stamp of the session to write to, '' = any
 * @param write resolves null if it found no session under this id
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
    // The session may have been moving during the write, and may have arrived since.
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
 * Lists the keys to delete when a session ends. The order deletes each key after every other one, because servers may
 * disagree which way the session is moving. `isGoingOn`: the same key comes once more.
 */
export function endingOrder(storedIds: readonly string[]): { storedId: string; isGoingOn: boolean }[] {
  const order = [...storedIds.toReversed(), ...storedIds.slice(1)]
  return order.map((storedId, i) => ({ storedId, isGoingOn: order.includes(storedId, i + 1) }))
}

/** Whether the session needs no move: it is under its current id, or it is a string, which is never moved. */
export function isHome({ storedId, storedIds, origin }: SessionRecord): boolean {
  return storedId === storedIds[0] || origin.kind === 'string'
}

/** Moves a session that was loaded under an older id, so that it is used under the current one from here on. */
export async function moveHome(context: Context, record: SessionRecord): Promise<void> {
  if (isHome(record)) return
  const home = record.storedIds[0]
  // Use the current id even if there was nothing to move: it shows whether the session has ended or another request has
  // moved it.
  if ((await bringHome(context, record.storedId, home)) !== 'stays') record.storedId = home
}
