import type { Context } from './context.js'
import { identityOf } from './identity.js'
import { encodeIndexValue, type IndexEntry } from './index-values.js'
import { inspectSession, type SessionInfo } from './inspect.js'
import { dropEntry, type Member, membersOf } from './session-index.js'

/** How many sessions are looked at, or ended, at a time. */
const BATCH = 50

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

/** The sessions that are to be found there, most recently seen first. Entries of sessions that are gone are dropped. */
export async function findSessions(context: Context, entry: IndexEntry): Promise<SessionInfo[]> {
  const found = await findIn(context, entry)
  await dropGone(context, found, entry)
  const infos = found.map(({ info }) => info).filter((info) => info !== null)
  return infos.sort((a, b) => Number(b.seenAt) - Number(a.seenAt))
}

/** What an index names, and the session if there is one that is to be found there. */
export async function findIn(context: Context, entry: IndexEntry): Promise<Found[]> {
  const found: Found[] = []
  for (const batch of batches(await membersOf(context, entry))) {
    const infos = await Promise.all(batch.map(({ storedId }) => inspectSession(context, storedId)))
    batch.forEach((member, i) => {
      const inspected = infos[i] ?? null
      found.push({ ...member, info: inspected !== null && has(inspected.entries, entry) ? inspected.info : null })
    })
  }
  return found
}

/** Drops the entries of what was not found. */
export async function dropGone(context: Context, found: readonly Found[], entry: IndexEntry): Promise<void> {
  const gone = found.filter(({ info }) => info === null)
  await Promise.all(gone.map((member) => dropEntry(context, member, entry)))
}

export interface Found extends Member {
  info: SessionInfo | null
}

export function has(entries: readonly IndexEntry[], { name, value }: IndexEntry): boolean {
  return entries.some((entry) => entry.name === name && entry.value === value)
}

export function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, i) => all.slice(i * BATCH, (i + 1) * BATCH))
}
