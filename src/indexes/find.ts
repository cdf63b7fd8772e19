import { identityOf } from '../hash/identity.js'
import { encodeIndexValue, type IndexEntry } from '../hash/index-fields.js'
import type { Context } from '../session/context.js'
import { dropEntry, type Member } from '../session/index-entries.js'
import { inspectSession } from '../session/inspect.js'
import type { SessionInfo } from '../session-info.js'

/** Number of sessions that are read or ended at a time. */
export const BATCH = 50

/** @throws TypeError for an index that the store does not have, or a value that cannot be looked up */
export function indexEntry({ options }: Context, name: string, value: string | number): IndexEntry {
  if (!options.indexes.some(([known]) => known === name)) {
    throw new TypeError(`there is no index "${name}": give it to new RedisStore({ indexes: { ${name}: ... } })`)
  }
  if (identityOf(value) === undefined) {
    throw new TypeError(`the value to look for in index "${name}" must be a string or a finite number`)
  }
  return { name, value: encodeIndexValue(name, value) }
}

/** Reads the sessions that an index lists, one batch at a time. */
export async function findAmong(context: Context, members: readonly Member[], entry: IndexEntry): Promise<Found[]> {
  const found: Found[] = []
  for (const batch of batches(members)) {
    const infos = await Promise.all(batch.map(({ storedId }) => inspectSession(context, storedId)))
    // A session that is moving to another id may still be under its first id.
    const isBefore = await Promise.all(
      batch.map(
        async ({ from }, i) => from !== undefined && !infos[i] && (await inspectSession(context, from)) !== null,
      ),
    )
    batch.forEach((member, i) => {
      const inspected = infos[i] ?? null
      const info = inspected !== null && has(inspected.entries, entry) ? inspected.info : null
      found.push({ ...member, info, isGone: info === null && !isBefore[i] })
    })
  }
  return found
}

/**
 * Drops the entries of sessions that were not found. Resolves to the number dropped: the entry of a session that is
 * being created stays.
 */
export async function dropGone(context: Context, found: readonly Found[], entry: IndexEntry): Promise<number> {
  let dropped = 0
  for (const batch of batches(found.filter(({ isGone }) => isGone))) {
    const answers = await Promise.all(batch.map((member) => dropEntry(context, member, entry)))
    dropped += answers.filter(Boolean).length
  }
  return dropped
}

/** An index entry, with its session if that exists and belongs to this index value. */
export interface Found extends Member {
  info: SessionInfo | null
  isGone: boolean
}

export function has(entries: readonly IndexEntry[], { name, value }: IndexEntry): boolean {
  return entries.some((entry) => entry.name === name && entry.value === value)
}

export function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH))
}
