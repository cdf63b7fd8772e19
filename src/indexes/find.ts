import { identityOf } from '../hash/identity.js'
import { encodeIndexValue, type IndexEntry } from '../hash/index-fields.js'
import type { Context } from '../session/context.js'
import { dropEntry, type Member } from '../session/index-entries.js'
import { inspectSession } from '../session/inspect.js'
import type { SessionInfo } from '../session-info.js'

/** How many sessions are looked at, or ended, at a time. */
export const BATCH = 50

/** @throws TypeError for an index that the store does not have */
export function indexEntry({ options }: Context, name: string, value: string | number): IndexEntry {
  if (!options.indexes.some(([known]) => known === name)) {
    throw new TypeError(`there is no index "${name}": give it to new RedisStore({ indexes: { ${name}: ... } })`)
  }
  if (identityOf(value) === undefined) {
    throw new TypeError(`the value to look for in index "${name}" must be a string or a finite number`)
  }
  return { name, value: encodeIndexValue(name, value) }
}

/** Looks at the sessions that an index names, a batch at a time. */
export async function findAmong(context: Context, members: readonly Member[], entry: IndexEntry): Promise<Found[]> {
  const found: Found[] = []
  for (const batch of batches(members)) {
    const infos = await Promise.all(batch.map(({ storedId }) => inspectSession(context, storedId)))
    // One that is on its way to another id may still be under the first one.
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

/** Drops the entries of what was not found. Resolves how many are dropped: that of a session that is being created stays. */
export async function dropGone(context: Context, found: readonly Found[], entry: IndexEntry): Promise<number> {
  let dropped = 0
  for (const batch of batches(found.filter(({ isGone }) => isGone))) {
    const answers = await Promise.all(batch.map((member) => dropEntry(context, member, entry)))
    dropped += answers.filter(Boolean).length
  }
  return dropped
}

/** What an index names, and the session if there is one that is to be found there. */
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
