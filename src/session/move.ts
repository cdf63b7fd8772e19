import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SessionStoreError } from '../errors.js'
import { BOOKKEEPING_FIELD, type Bookkeeping, parseBookkeeping } from '../hash/bookkeeping.js'
import { entriesIn } from '../hash/index-fields.js'
import { pairsOf } from '../hash/pairs.js'
import type { StoredIds } from '../ids/sid.js'
import { scheduleExpiry } from '../on-end/queue.js'
import { ARRIVE, CLEAR_AWAY, LEAVE, SETTLE } from '../redis/scripts/move.js'
import type { Context } from './context.js'
import { firstOf } from './first-found.js'
import { enter, leave } from './index-entries.js'
import { clearLeftovers } from './leftovers.js'

/** How often a session may turn out to be on its way elsewhere before we give up. */
const ATTEMPTS = 20
const PAUSE_MS = 10
/** A copy that nobody completes within this time goes away by itself. */
const COPY_MS = 10_000

/** Bookkeeping field of a session that is leaving: the stored id it goes to. */
const TO_FIELD = '@to'

/** What `bringHome` found under an old id. */
export type Found = 'nothing' | 'moved' | 'string' | 'stays'

interface Leaving {
  meta: Bookkeeping
  metaText: string
  ttlMs: number
  fields: [field: string, stored: string][]
}

/**
 * Moves a session from the stored id that an older `hashIds` setting gave it to the current one. The two keys may be on
 * different Cluster nodes, so there is neither RENAME nor a script on both; any process may stop after any step, and
 * several may move the same session at once.
 *
 *     1 LEAVE old       flag Z: from here on nobody writes the old key; it can still be read
 *     2 ARRIVE new      a copy with flag Y, which every reader and writer takes for absent, and a token
 *     3 HMGET old       is the session still there, and still leaving?
 *     4 SETTLE new      drops the Y of the copy with this token: the session is here now
 *     5 CLEAR_AWAY old  deletes the old key
 *
 * No lost write: after 1 the old key does not change any more, so the copy is complete, whoever makes it. A writer that
 * finds the session leaving or gone goes through these steps itself and then writes to the new key, where the script
 * compares the creation stamp, which moves along.
 *
 * No resurrection: who ends a session deletes the old key and after it the new one (`endingOrder`). For a copy
 * to be settled, it was there before 3 (the token says that it is the same one), and at 3 the old key was. So the old
 * key was deleted after 3, and the new one after that: the copy, settled or not, is deleted with it. A copy made later
 * finds the old key gone at 3, and has another token than the one a slower process still wants to settle.
 *
 * Not to and fro: during a deployment servers may disagree which id is the current one. What has arrived stays for a
 * minute (`@moved`), so that no operation meets more than one move; it is used where it is.
 *
 * No two live sessions: the old key is not written after 1, and the copy is not seen before 4. Readers take what is leaving for the
 * session only if they find it nowhere else (`firstOf`), whichever id they look under first. A process that stops after 1 leaves
 * a session that can be read, and moved by the next one that writes; after 2, a copy that expires; after 4, an old key that the
 * next one that moves or ends the session, or its TTL, takes away (session/leftovers.ts).
 */
export async function bringHome(context: Context, from: string, to: string): Promise<Found> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await sleep(PAUSE_MS)
    await clearLeftovers(context, [from, to], [to])
    const leaving = await stopWriting(context, from, to)
    if (typeof leaving === 'string') return leaving
    if (await arrive(context, leaving, from, to)) return 'moved'
  }
  throw toAndFro()
}

async function stopWriting({ gateway, keys, options }: Context, from: string, to: string): Promise<Leaving | Found> {
  const reply = (await gateway.script(LEAVE, keys.session(from), [options.absoluteMs ?? '', to])) as [
    number,
    string,
    number,
    ...string[],
  ]
  const [code, metaText, ttlMs, ...flat] = reply
  if (code === 3) return 'string'
  if (code === 6) return 'stays'
  const meta = code === 1 ? parseBookkeeping(metaText) : null
  if (meta === null) return 'nothing'
  return { meta, metaText, ttlMs, fields: pairsOf(flat) }
}

/** False: something has come in between, look again. */
async function arrive(context: Context, leaving: Leaving, from: string, to: string): Promise<boolean> {
  const { gateway, keys } = context
  const { created } = leaving.meta
  const copy = reencoded(context, leaving, from, to)
  const entries = entriesIn(leaving.fields)
  const leftMs = leaving.meta.isKept ? leaving.ttlMs - context.options.keepMs : leaving.ttlMs
  const idleMs = leaving.ttlMs < 0 ? leaving.meta.idleMs : leftMs
  await enter(context, to, entries, idleMs)
  void scheduleExpiry(context, to, idleMs)
  const token = randomBytes(12).toString('base64url')
  const placed = await gateway.script(ARRIVE, keys.session(to), [leaving.metaText, token, COPY_MS, ...copy.flat()])
  const [code, placedToken = ''] = placed as [number, string?]
  if (code === -1) return true
  if (code === 5) return false
  if (code === 1) {
    const [text] = (await gateway.hmget(keys.session(from), [BOOKKEEPING_FIELD])) ?? []
    const now = parseBookkeeping(text)
    if (now?.created !== created || !now.isLeaving) {
      await gateway.script(CLEAR_AWAY, keys.session(to), ['Y', created, placedToken])
      return false
    }
    const [settled] = (await gateway.script(SETTLE, keys.session(to), [placedToken, leaving.ttlMs])) as [number]
    if (settled !== 1) return false
  }
  await gateway.script(CLEAR_AWAY, keys.session(from), ['Z', created, ''])
  await leave(context, from, entries)
  return true
}

/** Ciphertext is bound to the stored id. What cannot be read moves as it is, and stays unreadable. */
function reencoded({ codec }: Context, { fields }: Leaving, from: string, to: string): [string, string][] {
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
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await sleep(PAUSE_MS)
    for (const from of others) await bringHome(context, from, home)
    const written = await firstOf(storedIds, write)
    if (written !== null) return written
    const seen = await firstOf(storedIds, (storedId) => stateOf(context, storedId, created))
    // It may have been leaving when we wrote, and have arrived since. Still there then, it refuses for another reason.
    if (seen === null || (seen === 'here' && attempt >= 2)) return null
    // Whoever was moving it away may be dead.
    if (seen === 'leaving') await finishMove(context, storedIds)
  }
  throw toAndFro()
}

/** Brings a session where it was going, also away from its current id: from there it can come back in a minute. */
async function finishMove(context: Context, storedIds: readonly string[]): Promise<void> {
  const { gateway, keys } = context
  for (const from of storedIds) {
    const [text, to] = (await gateway.hmget(keys.session(from), [BOOKKEEPING_FIELD, TO_FIELD])) ?? []
    // Only where it may be: who can write to Redis could send it anywhere.
    if (to && storedIds.includes(to) && parseBookkeeping(text)?.isLeaving) await bringHome(context, from, to)
  }
}

/**
 * The keys to delete when a session ends, so that each is deleted after each other one: servers may disagree which way
 * the session is moving.
 */
export function endingOrder(storedIds: readonly string[]): string[] {
  return [...storedIds.toReversed(), ...storedIds.slice(1)]
}

/**
 * Whether the session at this key, which was leaving, has arrived elsewhere: what is left here is not the session any more.
 *
 * @param left all fields
 */
export async function hasMoved({ gateway, keys }: Context, left: ReadonlyMap<string, string>): Promise<boolean> {
  const to = left.get(TO_FIELD)
  const before = parseBookkeeping(left.get(BOOKKEEPING_FIELD))
  if (!to || before === null) return false
  const [text] = (await gateway.hmget(keys.session(to), [BOOKKEEPING_FIELD])) ?? []
  const there = parseBookkeeping(text)
  return there !== null && !there.isArriving && there.created === before.created
}

/** The same of a session that is leaving, for who knows no more than its stored id: a list of sessions. */
export async function isLeftBehind(context: Context, storedId: string): Promise<boolean> {
  const fields = [BOOKKEEPING_FIELD, TO_FIELD]
  const texts = (await context.gateway.hmget(context.keys.session(storedId), fields)) ?? []
  return hasMoved(context, new Map(fields.map((field, i) => [field, texts[i] ?? ''])))
}

async function stateOf(
  { gateway, keys }: Context,
  storedId: string,
  created: string,
): Promise<'here' | 'leaving' | null> {
  const [text] = (await gateway.hmget(keys.session(storedId), [BOOKKEEPING_FIELD])) ?? []
  const meta = parseBookkeeping(text)
  if (meta === null || meta.isArriving || meta.hasEnded || (created !== '' && meta.created !== created)) return null
  return meta.isLeaving ? 'leaving' : 'here'
}

function toAndFro(): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_CONFLICT', 'this session is being moved to and fro between two "hashIds"')
}
