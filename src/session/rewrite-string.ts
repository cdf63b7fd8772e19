import { SessionStoreError } from '../errors.js'
import { propertyOf } from '../hash/field-name.js'
import { entriesIn } from '../hash/index-fields.js'
import { WRITE_STRING, type WriteStringReply } from '../redis/scripts/write-string.js'
import type { Context } from './context.js'
import { leaseOf, merge } from './convert-string.js'
import { applyDelta, type Delta, doubtDelta, withoutCookie } from './delta.js'
import { fromString, sha1Of } from './load.js'
import type { SessionRecord } from './session-record.js'
import { bytesOf, tooLarge } from './size.js'
import type { Snapshot } from './snapshot.js'
import { stringTextOf } from './string-text.js'
import { writeIndexed } from './write-indexed.js'
import { foreignKey } from './write-reply.js'

/** How often connect-redis may write the string before this save gives up. */
const ATTEMPTS = 10

/** `hash`: another server, which has another `convert`, has made a hash of it. `changed`: with `isStrict` only. */
export type Rewritten = 'written' | 'gone' | 'hash' | 'changed'

interface Manner {
  /** Whether the session is not used now, and keeps its time to live. */
  keepsTtl?: boolean
  /** Whether to write nothing if others have written since the load. */
  isStrict?: boolean
}

/**
 * Saves a session that was loaded from connect-redis's string, as a string again (`convert: 'never'`). If another server
 * wrote meanwhile, merges its changes first: of two servers with this store, none loses a change.
 */
export async function rewriteString(
  context: Context,
  record: SessionRecord,
  sha1: string,
  loadedNext: Snapshot,
  wholeDelta: Delta,
  { keepsTtl = false, isStrict = false }: Manner = {},
): Promise<Rewritten> {
  let next = loadedNext
  const delta = next.isAsInString ? withoutCookie(wholeDelta) : wholeDelta
  assertGrowth(context, record, next)
  doubtDelta(record, delta)
  let seen = sha1
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { text } = await stringTextOf(context, next)
    const reply = await write(context, record.storedId, next, [seen, text, ttlOf(context, next, keepsTtl)])
    if (reply.kind === 'written') {
      if (reply.isEnded) record.hasEnded = true
      record.origin = { kind: 'string', sha1: sha1Of(text) }
      applyDelta(record, delta)
      context.announcer.announceOf(record.storedId, 'saved', { fields: delta.set.length + delta.remove.length })
      return 'written'
    }
    if (reply.kind === 'gone') return 'gone'
    if (reply.kind === 'foreign') return 'hash'
    if (isStrict) return 'changed'
    const current = await fromString(context, record.storedId, reply.text)
    if (current === null) throw foreignKey()
    // This request has not changed the cookie, so the one that was written is the current one.
    if (next.isAsInString) next = { ...next, ...leaseOf(context, current) }
    next = { ...next, fields: merge(current.record.fields, delta) }
    seen = sha1Of(reply.text)
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    'another store keeps rewriting this session as a string: let one kind of store write a session',
  )
}

function write(
  context: Context,
  storedId: string,
  next: Snapshot,
  args: readonly (string | number)[],
): Promise<WriteStringReply & { isEnded?: boolean }> {
  const { gateway, keys } = context
  const placing = { held: [], next: entriesIn(next.fields), idleMs: next.idle, slides: true, createdAtMs: undefined }
  return writeIndexed(context, storedId, placing, () => gateway.script(WRITE_STRING, keys.session(storedId), args))
}

function ttlOf({ options }: Context, { idle }: Snapshot, keepsTtl: boolean): number | string {
  if (keepsTtl) return 'keep'
  return options.disableTTL ? '' : idle
}

/** @throws ERR_SESSION_TOO_LARGE if the session would grow, and be larger than allowed */
function assertGrowth({ options }: Context, record: SessionRecord, { fields }: Snapshot): void {
  const bytes = bytesOf([...fields].filter(([field]) => propertyOf(field) !== undefined))
  if (bytes > options.maxBytes && bytes > bytesOf(record.fields)) throw tooLarge(bytes, options.maxBytes)
}
