import { Keys } from '../keys.js'
import { NEEDED_COMMANDS, type NeededCommand } from './commands.js'

export interface AclSubject {
  /** Of the store. */
  prefix: string
  /** Of the server: rules that it does not know are left out. */
  version: readonly [major: number, minor: number]
  /** Also `all`, `ids`, `length`, `clear`, `scan`, `stats` and `destroyBy` with `thorough`. */
  isAdmin?: boolean
  isCluster?: boolean
  database?: number
}

/** The commands a user of this kind has to be allowed. */
export function commandsFor(subject: AclSubject): readonly NeededCommand[] {
  return NEEDED_COMMANDS.filter(({ use, since }) => {
    if (since !== undefined && isOlder(subject.version, since)) return false
    if (use === 'administration') return subject.isAdmin === true
    if (use === 'cluster') return subject.isCluster === true
    if (use === 'database') return (subject.database ?? 0) !== 0
    return true
  })
}

/** Rules for ACL SETUSER: what a store needs, on its own keys, and nothing else. */
export function aclRules(subject: AclSubject): string[] {
  return [...keyRules(subject), '-@all', ...commandsFor(subject).map(({ name }) => `+${name}`)]
}

/** Patterns of the keys and the channel. */
export function keyRules({ prefix, version }: Pick<AclSubject, 'prefix' | 'version'>): string[] {
  const keys = new Keys(literally(prefix))
  const patterns = [`~${keys.session('*')}`, `~idx:${keys.prefix}*`]
  return isOlder(version, [6, 2]) ? patterns : [...patterns, `&${keys.endedChannel()}`, '&__redis__:invalidate']
}

export function isOlder(version: readonly [number, number], than: readonly [number, number]): boolean {
  return version[0] !== than[0] ? version[0] < than[0] : version[1] < than[1]
}

/** A pattern for just this text. Rules hold no blanks. */
function literally(prefix: string): string {
  return prefix.replace(/[\\*?[\]]/g, '\\$&').replace(/\s/g, '?')
}
