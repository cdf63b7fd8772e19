import { setTimeout as sleep } from 'node:timers/promises'
import { SessionStoreError } from '../errors.js'
import { timedOut } from '../redis/deadline.js'
import { CREATE } from '../redis/scripts/create.js'
import { handleOf } from '../redis/sid.js'
import { stampToMs } from './bookkeeping.js'
import type { Context } from './context.js'
import type { Creation } from './creations.js'
import { scheduleExpiry } from './ends-queue.js'
import { entriesIn, without } from './index-values.js'
import { admit, endIfEvicted, limitedAmong } from './limit.js'
import { fromString, sha1Of } from './load.js'
import { bringHome } from './move.js'
import { enter, leave } from './session-index.js'
import { SessionRecord } from './session-record.js'
import { expiryMode, type Snapshot } from './snapshot.js'
import { foreignKey, readWriteReply } from './write-reply.js'

/** How often a string may change between our look at it and its replacement. */
const ATTEMPTS = 10
const PAUSE_MS = 20

/** Writes a session that was never loaded, in place of what session there was. Resolves its record, null if it ended. */
export async function createSession(
  context: Context,
  storedIds: readonly string[],
  next: Snapshot,
): Promise<SessionRecord | null> {
  const [current, ...others] = storedIds as [string, ...string[]]
  let home = current
  // What is under an older id is what this session replaces.
  const strings: string[] = []
  for (const from of others) {
    const found = await bringHome(context, from, home)
    if (found === 'string') strings.push(from)
    if (found === 'stays') home = from
  }
  const record = await context.creations.run(home, (creation) => createUnder(context, home, next, creation))
  for (const from of strings) await dropString(context, from)
  if (record !== null) record.storedIds = storedIds
  return record
}

/** Only what connect-redis wrote is ours to delete. */
async function dropString(context: Context, storedId: string): Promise<void> {
  const key = context.keys.session(storedId)
  const text = await context.gateway.get(key)
  if (typeof text === 'string' && (await fromString(context, storedId, text)) !== null) await context.gateway.del(key)
}

async function createUnder(
  context: Context,
  storedId: string,
  next: Snapshot,
  creation: Creation,
): Promise<SessionRecord | null> {
  const { gateway, keys, options, announcer } = context
  const head = [next.idle, options.absoluteMs ?? '', expiryMode(context), next.cookie.flags]
  const codec = context.codec.of(storedId)
  const pairs = [...next.fields].flatMap(([field, text]) => [field, codec.encode(field, text)])
  const all = entriesIn(next.fields)
  const limited = limitedAmong(context, all)
  const entries = without(all, limited)
  const start = performance.now()
  let replaceable = ''
  const createdAtMs = next.created === undefined ? undefined : stampToMs(next.created)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const args = [...head, replaceable, next.created ?? '', ...pairs]
    if (limited.length > 0) await admit(context, storedId, limited)
    const entering = enter(context, storedId, entries, next.idle)
    if (entering !== undefined) await entering
    void scheduleExpiry(context, storedId, next.idle, createdAtMs)
    if (creation.isCancelled) {
      await leave(context, storedId, all)
      announcer.announceOf(storedId, 'refused', { operation: 'save' })
      return null
    }
    const reply = readWriteReply(context, await gateway.script(CREATE, keys.session(storedId), args))
    switch (reply.kind) {
      case 'written':
        // Once more: who ends all sessions of that user may have found the entry before there was a session.
        await enter(context, storedId, entries, next.idle)
        announcer.announceOf(storedId, 'created', {})
        if (await endIfEvicted(context, storedId, limited, next.idle)) return null
        return new SessionRecord(storedId, { kind: 'hash', meta: reply.meta }, next.fields, { isLoaded: false })
      case 'gone':
        announcer.announce('destroyed', { handle: handleOf(storedId), reason: 'expired' })
        return null
      case 'kept':
        await makeRoom(context, storedId)
        assertInTime(context, start)
        break
      case 'string':
        // Only what connect-redis wrote is ours to replace.
        if ((await fromString(context, storedId, reply.text)) === null) throw foreignKey()
        assertInTime(context, start)
        replaceable = sha1Of(reply.text)
        break
      default:
        throw foreignKey()
    }
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    'another store keeps rewriting this session as a string, or the one before is still being handed to onEnd',
  )
}

/** What has timed out has failed for its caller, who may have ended the session since. */
function assertInTime({ options }: Context, start: number): void {
  if (performance.now() - start > options.timeoutMs) throw timedOut(options.timeoutMs)
}

/** The session before under the same id has ended; what it held goes to `onEnd` first. */
async function makeRoom({ gateway, keys, endOfLife }: Context, storedId: string): Promise<void> {
  // Others keep it for their onEnd, and we have none.
  if (endOfLife === undefined) return void (await gateway.del(keys.session(storedId)))
  await endOfLife.handOver(storedId)
  await sleep(PAUSE_MS)
}
