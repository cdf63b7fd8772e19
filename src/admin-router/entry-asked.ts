import type { AdminAccess } from '../admin/admin-access.js'
import { shownEntry } from '../admin/selection.js'
import type { IndexEntry } from '../hash/index-fields.js'
import { HttpError } from '../http-error.js'
import type { Visit } from './visit.js'

/** An index value that somebody asks for. */
export interface Asked {
  index: string
  /** As they have written it. */
  value: string
  entry: IndexEntry
}

/**
 * Reads which index value a query or a body names; undefined if it names none.
 *
 * @throws HttpError 400 for an index that the store does not have
 */
export function entryAsked({ context }: AdminAccess, index: unknown, value: unknown): Asked | undefined {
  // The form on the page always names an index.
  if (isNothing(value)) {
    if (isNothing(index) || typeof index === 'string') return undefined
  }
  const names = context.options.indexes.map(([name]) => name)
  if (typeof index !== 'string' || !names.includes(index)) {
    const known = names.length === 0 ? 'this store has none' : `this store has ${names.join(', ')}`
    throw new HttpError(400, `"index" must be the name of an index: ${known}`)
  }
  const text = typeof value === 'number' && Number.isFinite(value) ? String(value) : value
  const entry = typeof text === 'string' ? shownEntry(index, text) : undefined
  if (entry === undefined) throw new HttpError(400, '"value" must be a text that is not empty, or a number')
  return { index, value: text as string, entry }
}

const isNothing = (value: unknown) => value === undefined || value === null || value === ''

/** Reads it from the query of a visit, and notes it for the audit entry. */
export function entryInQuery(access: AdminAccess, { query, about }: Visit): Asked | undefined {
  const asked = entryAsked(access, query.get('index'), query.get('value'))
  if (asked !== undefined) Object.assign(about, { index: asked.index, value: asked.value })
  return asked
}

/** The query that names an index value; `''` if there is none. */
export function queryOf(asked: Pick<Asked, 'index' | 'value'> | undefined, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ ...(asked && { index: asked.index, value: asked.value }), ...more }).toString()
  return query === '' ? '' : `?${query}`
}
