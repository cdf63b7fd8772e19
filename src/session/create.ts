import { setTimeout as sleep } from 'node:timers/promises'
import { SessionStoreError } from '../errors.js'
import { stampToMs } from '../hash/bookkeeping.js'
import { decodeConnectRedisString } from '../hash/connect-redis-string.js'
import { entriesIn } from '../hash/index-fields.js'
import type { StoredIds } from '../ids/id-mapper.js'
import { timedOut } from '../redis/deadline.js'
import { CREATE, type CreateReply } from '../redis/scripts/create.js'
import type { Context } from './context.js'
import type { Continuation } from './continuation.js'
import { endHere } from './destroy.js'
import { leave } from './index-entries.js'
import { movedTo } from './leftovers.js'
import { sha1Of } from './load.js'
import { bringHome } from './move.js'
import type { Creation } from './pending-creations.js'
import { endedOnTheWay } from './rotated-ids.js'
import { SessionRecord } from './session-record.js'
import { assertSize } from './size.js'
import { expiryMode, type Snapshot } from './snapshot.js'
import { type Placing, writeIndexed } from './write-indexed.js'
import { acceptWrite, foreignKey } from './write-reply.js'

/** How often a string may change between the read of it and its replacement. */
const ATTEMPTS = 10
const PAUSE_MS = 20
/** Save counter of a session that did not exist before. */
const FIRST_SAVE = '1'

/**
 * Writes a session that was never loaded, and replaces the one that was there. Resolves its record; null if it ended.
 */
export async function createSession(
  context: Context,
  storedIds: StoredIds,
  next: Snapshot,
): Promise<SessionRecord | null> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const record = await createAtHome(context, storedIds, next)
    if (record !== 'moved') return record
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', 'a session keeps moving while it is being replaced')
}

/** @returns `moved` if the session to be replaced has just moved to another stored id; it must be replaced there */
async function createAtHome(
  context: Context,
  storedIds: StoredIds,
  next: Snapshot,
): Promise<SessionRecord | 'moved' | null> {
  const [current, ...others] = storedIds
  let home = current
  // A session under an older id is the one that this session replaces.
  const strings: string[] = []
  for (const from of others) {
    const found = await bringHome(context, from, home)
    if (found === 'string') strings.push(from)
    if (found === 'stays') home = from
  }
  const record = await context.creations.run(home, (creation) => createUnder(context, home, next, creation))
  if (record === 'moved') {
    await movedTo(context, home)
    return record
  }
  for (const from of strings) await dropString(context, from)
  if (record !== null) record.storedIds = storedIds
  return record
}

/**
 * Tells whether a string looks like a session of connect-redis. Only such a string may be replaced or deleted. Whether
 * its content can be trusted does not matter here: nothing of it is used.
 */
async function isOfConnectRedis({ options }: Context, text: string): Promise<boolean> {
  return (await decodeConnectRedisString(text, options.serializer)) !== null
}

async function dropString(context: Context, storedId: string): Promise<void> {
  const key = context.keys.session(storedId)
  const text = await context.gateway.get(key)
  if (typeof text === 'string' && (await isOfConnectRedis(context, text))) await context.gateway.del(key)
}

async function createUnder(
  context: Context,
  storedId: string,
  next: Snapshot,
  creation: Creation,
): Promise<SessionRecord | 'moved' | null> {
  const codec = context.codec.of(storedId)
  const pairs = [...next.fields].map(([field, text]) => [field, codec.encode(field, text)] as const)
  assertSize(context, pairs, next.ancestor?.bytes)
  const placing = placingOfNew(next)
  const start = performance.now()
  let replaceable = ''
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const reply = await writeIndexed(context, storedId, placing, () =>
      writeWhole(context, storedId, next, pairs, replaceable, creation),
    )
    switch (reply.kind) {
      case 'written':
        if (reply.isEnded || (await endIfEndedOnTheWay(context, storedId, placing.continuation))) return null
        return new SessionRecord(storedId, { kind: 'hash', meta: reply.meta }, new Map(next.fields), {
          isLoaded: false,
        })
      case 'cancelled':
        await leave(context, storedId, placing.next)
        context.announcer.announceOf(storedId, 'refused', { operation: 'save' })
        return null
      case 'gone':
        context.announcer.announceEnd(storedId, 'expired')
        return null
      case 'moved':
        return 'moved'
      case 'string':
        if (!(await isOfConnectRedis(context, reply.text))) throw foreignKey()
        replaceable = sha1Of(reply.text)
        break
      case 'kept':
        await makeRoom(context, storedId)
        break
      default:
        throw foreignKey()
    }
    assertInTime(context, start)
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    'another store keeps rewriting this session as a string, or the one before is still being handed to onEnd',
  )
}

/** Makes the placing of a session that has no index entries yet, unless it continues another one. */
function placingOfNew({ fields, idle, ancestor }: Snapshot): Placing {
  const created = ancestor?.created
  return {
    held: [],
    next: entriesIn(fields),
    idleMs: idle,
    slides: true,
    createdAtMs: created === undefined ? undefined : stampToMs(created),
    continuation: ancestor?.continuation,
  }
}

/** @param replaceable SHA-1 of the string that this write may replace, '' = none */
async function writeWhole(
  context: Context,
  storedId: string,
  next: Snapshot,
  pairs: readonly (readonly [field: string, stored: string])[],
  replaceable: string,
  creation: Creation,
): Promise<CreateReply | { kind: 'cancelled' }> {
  if (creation.isCancelled) return { kind: 'cancelled' }
  const { gateway, keys, options, announcer } = context
  const head = [next.idle, options.absoluteMs ?? '', expiryMode(context), next.cookie.flags]
  const args = [...head, replaceable, next.ancestor?.created ?? '', ...pairs.flat()]
  const { losses } = gateway
  const reply = acceptWrite(context, await gateway.script(CREATE, keys.session(storedId), args))
  if (reply.kind !== 'written') return reply
  if (reply.meta.saves === FIRST_SAVE && gateway.losses !== losses) await takeBack(context, storedId)
  announcer.announceOf(storedId, 'created', {})
  return reply
}

/**
 * Ends a new session whose write the client may have sent twice. The outcome of the first sending is unknown: it may
 * have written the session, and the visitor, who has the cookie from a response under way, may have ended it. The
 * second sending would then have brought it back.
 */
async function takeBack(context: Context, storedId: string): Promise<never> {
  await endHere(context, [storedId], 'destroyed')
  throw new SessionStoreError(
    'ERR_SESSION_UNAVAILABLE',
    'the connection to Redis was lost while a new session was being saved; it was not kept',
  )
}

/** Ends a session that was ended under its previous id while it was getting this one. */
async function endIfEndedOnTheWay(context: Context, storedId: string, continuation?: Continuation): Promise<boolean> {
  if (!continuation?.leavesTrail || !(await endedOnTheWay(context, continuation.ids))) return false
  await endHere(context, [storedId], 'destroyed')
  return true
}

/** Throws after the timeout: the caller has seen the operation fail, and may have ended the session since. */
function assertInTime({ options }: Context, start: number): void {
  if (performance.now() - start > options.timeoutMs) throw timedOut(options.timeoutMs)
}

/** Removes the previous session under this id. It has ended, and its content goes to `onEnd` first. */
async function makeRoom({ gateway, keys, endOfLife }: Context, storedId: string): Promise<void> {
  // Other processes keep it for their `onEnd`; this process has no `onEnd`.
  if (endOfLife === undefined) return void (await gateway.del(keys.session(storedId)))
  await endOfLife.handOver(storedId)
  await sleep(PAUSE_MS)
}
