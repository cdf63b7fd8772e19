import { setTimeout as sleep } from 'node:timers/promises'
import { SessionStoreError } from '../errors.js'
import { ADOPTED_FIELD, CLIENT_DIGEST_FIELDS } from '../hash/bookkeeping.js'
import type { PlainCookie } from '../hash/live-cookie.js'
import { type Generation, isAdmitted, latestSid } from '../hash/renewal-field.js'
import { hasId } from '../ids/id-mapper.js'
import { parseSid, type Sid } from '../ids/sid.js'
import { admissionOf } from './admission.js'
import type { Context } from './context.js'
import { convertInPlace } from './convert-in-place.js'
import { loadFirst, loadSession } from './load.js'
import { bringHome } from './move.js'
import type { Loaded } from './session-record.js'

/*
 * A session whose visitor comes with a cookie of another name gets a new id (`secureSession({ acceptFrom })`). The new id
 * is derived from the old one and a secret of the application:
 *
 * - All requests that come with the old cookie at once find the one id, and nothing has to be stored for that.
 * - Nobody who knows the old id can compute it.
 * - The client digests that `bindClient` has made under another secret stay behind: no client would match them.
 *
 * The old cookie leads to the new id until the visitor has come with the new cookie, so that a lost response logs nobody
 * out, and for a moment longer, because requests may be under way. The mark `@af` says since when.
 */

/** Milliseconds for which the old cookie counts after the new one has come. */
const GRACE_MS = 30_000
/** How often others may turn the session back into a string, or move it, before this request gives up. */
const ATTEMPTS = 5
const PAUSE_MS = 10

/** What an id ends with that was derived from an old one. */
const ADOPTED = '~a'

export function adoptedFirst(digest: string): string {
  return digest + ADOPTED
}

/** Whether a session has got its id from an old cookie. */
export function isAdoptedId(sid: unknown): boolean {
  return parseSid(sid)?.first.endsWith(ADOPTED) === true
}

/** Maps the id in an old cookie to the ids under which its session may be stored. */
export interface OldIds {
  candidates(sid: string): readonly string[]
}

export interface Adopted {
  /** The id that the visitor goes on with. */
  sid: string
  /** The cookie of the old session; undefined if it was adopted before. */
  cookie: PlainCookie | undefined
}

/**
 * Finds the session of an old cookie, and moves it to its new id.
 *
 * @param ids stored ids that the old session may have
 * @param firsts the new id, and the ids that older secrets have given
 * @returns null if there is no session, or if the old cookie does not count any more
 */
export async function adoptSession(
  context: Context,
  oldSid: string,
  ids: OldIds,
  firsts: readonly [string, ...string[]],
): Promise<Adopted | null> {
  const old = parseSid(oldSid)
  if (old === null) return null
  const loaded = await loadFirst(context, ids.candidates(old.first))
  if (loaded !== null) {
    if (!(await isGood(context, loaded, old))) return null
    const [first] = firsts
    if (await moveTo(context, loaded.record.storedId, context.ids.candidates(first)[0])) {
      return { sid: sidOf(first, loaded.generation), cookie: loaded.session.cookie }
    }
  }
  for (const first of firsts) {
    const there = await loadFirst(context, context.ids.candidates(first))
    if (there === null) continue
    if (!isWithinGrace(context, there) || !(await isGood(context, there, old))) return null
    return { sid: sidOf(first, there.generation), cookie: undefined }
  }
  return null
}

/** Whether the old id is one that gives access: `renewSession` may have replaced it long ago. */
async function isGood(context: Context, { record, generation }: Loaded, old: Sid): Promise<boolean> {
  return isAdmitted(await admissionOf(context, record.storedId, old, generation))
}

function isWithinGrace({ clock, keys }: Context, { record }: Loaded): boolean {
  const since = record.fields.get(ADOPTED_FIELD)
  if (since === undefined) return true
  const now = clock.latestMs(keys.session(record.storedId)) ?? Date.now()
  return now - Number.parseInt(since, 36) < GRACE_MS
}

/** Returns the id that was confirmed last: nobody has presented a later one in this request. */
function sidOf(first: string, latest: Generation | undefined): string {
  if (latest === undefined) return first
  return latestSid(first, latest.isConfirmed ? latest : { ...latest, generation: latest.generation - 1 })
}

/** @returns false if the session is not there any more: another request may have moved it */
async function moveTo(context: Context, from: string, to: string): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 1) await sleep(PAUSE_MS)
    const found = await bringHome(context, from, to, { isOneWay: true, drops: CLIENT_DIGEST_FIELDS })
    if (found === 'nothing') return false
    if (found === 'moved') {
      context.announcer.announceRotation(from, to, 'adopted')
      return true
    }
    if (found === 'string') {
      const loaded = await loadSession(context, from)
      if (loaded === null) return false
      await convertInPlace(context, loaded)
    }
  }
  throw new SessionStoreError(
    'ERR_SESSION_CONFLICT',
    'a session keeps changing while it is moved from its old cookie to the new one',
  )
}

/** Whether there is a session that this id gives access to. */
export async function isUsable(context: Context, sid: string): Promise<boolean> {
  const parsed = parseSid(sid)
  const storedIds = parsed === null ? [] : context.ids.candidates(parsed.first)
  const loaded = hasId(storedIds) ? await loadFirst(context, storedIds) : null
  return loaded !== null && isGood(context, loaded, parsed as Sid)
}
