import { shownEntry } from '../../admin/selection.js'
import type { IndexEntry } from '../../hash/index-fields.js'
import { CommandError } from '../io.js'
import type { Options } from '../parse.js'

export const SELECTION_OPTIONS = {
  user: { type: 'string', value: 'id', help: 'sessions of this user: short for --index user=<id>' },
  index: { type: 'string', value: 'name=value', help: 'sessions with this value in an index of the application' },
} as const satisfies Options

const INDEX = /^([A-Za-z]\w{0,31})=(.+)$/s

/**
 * Returns the index value that the options select; undefined if they select none.
 *
 * @throws CommandError
 */
export function selectedEntry({ user, index }: { user?: string; index?: string }): IndexEntry | undefined {
  if (user !== undefined && index !== undefined) throw new CommandError('Give --user or --index, not both.')
  if (user === '') throw new CommandError('--user takes the id of a user.')
  if (user !== undefined) return entryOf('user', user, 'user')
  if (index === undefined) return undefined
  const [, name, value] = INDEX.exec(index) ?? []
  if (name === undefined || value === undefined) {
    throw new CommandError('--index takes name=value, for example --index tenant=acme.')
  }
  return entryOf(name, value, 'index')
}

function entryOf(name: string, value: string, option: string): IndexEntry {
  const entry = shownEntry(name, value)
  if (entry === undefined) throw new CommandError(`--${option}: the value is no valid text.`)
  return entry
}
