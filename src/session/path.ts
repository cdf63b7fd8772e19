import { SessionStoreError } from '../errors.js'
import { BOOKKEEPING_FIELD, parseBookkeeping } from '../hash/bookkeeping.js'
import { fieldOf } from '../hash/field-name.js'
import { NoWay, type Path, withValueAt } from '../hash/path.js'
import type { StoredIds } from '../ids/id-mapper.js'
import { assertGoingOn, type Context } from './context.js'
import { decodeOrAnnounce, loadSession } from './load.js'
import { encodeChanges, firstWritten, patchLoaded } from './patch.js'
import { readFields } from './read-hash.js'
import type { Loaded } from './session-record.js'
import { updateFields } from './update-fields.js'
import type { WriteReply } from './write-reply.js'
import { writeUnloaded } from './write-unloaded.js'

/** How often others may save before we give up. Each lost race means that another request has saved. */
const ATTEMPTS = 100

type PathReply = WriteReply | { kind: 'unchanged' }

/**
 * Sets one value inside a property, without a change of its neighbours: reads the property, changes it, and writes it
 * if nobody has saved the session in between; otherwise once more. Resolves false if there is no session.
 *
 * @param value undefined removes the last name of the path
 * @throws ERR_SESSION_NOT_AN_OBJECT, ERR_SESSION_CONFLICT, and what `patchSession` throws
 */
export async function setAtPath(context: Context, storedIds: StoredIds, path: Path, value: unknown): Promise<boolean> {
  const written = await firstWritten(context, storedIds, async (storedId) => {
    const { kind } = await context.queue.take(storedId, () =>
      writeUnloaded(context, storedId, {
        onHash: () => setHere(context, storedId, path, value),
        onString: (loaded) => newsOf(context, loaded, path, value),
      }),
    )
    if (kind === 'gone') return null
    if (kind === 'written' || kind === 'contended') context.announcer.announceOf(storedId, 'saved', { fields: 1 })
    return true
  })
  if (written !== null) return true
  context.announcer.announceOf(storedIds[0], 'refused', { operation: 'setPath' })
  return false
}

async function setHere(context: Context, storedId: string, path: Path, value: unknown): Promise<PathReply> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    assertGoingOn(context)
    const { indexes } = context.options
    const reply = await (indexes.length === 0 ? setField : setIndexed)(context, storedId, path, value)
    if (reply.kind !== 'outdated') return reply
  }
  throw new SessionStoreError('ERR_SESSION_CONFLICT', `a session changed ${ATTEMPTS} times while a path was being set`)
}

/** Reads and writes only the property. */
async function setField(context: Context, storedId: string, path: Path, value: unknown): Promise<PathReply> {
  const field = fieldOf(path[0])
  const reply = await readFields(context, storedId, [BOOKKEEPING_FIELD, field])
  if (reply === null) return { kind: 'foreign' }
  const [metaText, text] = reply
  if (metaText == null) return { kind: 'gone', isArriving: false }
  const stored = text == null ? [] : [field, text]
  const decoded = await decodeOrAnnounce(context, storedId, [BOOKKEEPING_FIELD, metaText, ...stored])
  if (decoded === null) return { kind: 'gone', isArriving: parseBookkeeping(metaText)?.isArriving === true }
  const { created, saves } = decoded.meta
  const changes = changesOf(context, decoded.session, path, value)
  if (changes.set[0]?.[1] === decoded.fields.toMap().get(field)) return { kind: 'unchanged' }
  return updateFields(context, storedId, changes, { created, saves, isStrict: true })
}

/** Reads all of the session, because an index may read the property together with others. */
async function setIndexed(context: Context, storedId: string, path: Path, value: unknown): Promise<PathReply> {
  const loaded = await loadSession(context, storedId)
  if (loaded === null) return { kind: 'gone', isArriving: false }
  const changes = newsOf(context, loaded, path, value)
  return changes === undefined ? { kind: 'unchanged' } : patchLoaded(context, storedId, changes, loaded, true)
}

/** Returns undefined if the session holds this value already. */
function newsOf(context: Context, { session, record }: Loaded, path: Path, value: unknown) {
  const changes = changesOf(context, session, path, value)
  return changes.set[0]?.[1] === record.fields.get(fieldOf(path[0])) ? undefined : changes
}

function changesOf(context: Context, session: Record<string, unknown>, [property, ...names]: Path, value: unknown) {
  const before = Object.hasOwn(session, property) ? session[property] : undefined
  try {
    return encodeChanges(context, { [property]: withValueAt(before, names, value) })
  } catch (err) {
    if (!(err instanceof NoWay)) throw err
    const where = err.depth === 0 ? 'holds' : `holds, ${err.depth} ${err.depth === 1 ? 'name' : 'names'} further,`
    throw new SessionStoreError(
      'ERR_SESSION_NOT_AN_OBJECT',
      `session property ${JSON.stringify(property)} ${where} a value that is no plain object, so that no path leads ` +
        'through it; nothing was saved. Replace it as a whole',
    )
  }
}
