import { endedChannel } from '../channel.js'
import { Keys } from '../keys.js'
import { NEEDED_COMMANDS, type NeededCommand } from './commands.js'

export interface AclSubject {
  /** The `prefix` option of the store. */
  prefix: string
  /** Version of the server. Rules that it does not know are left out. */
  version: readonly [major: number, minor: number]
  /** Whether to allow `all`, `ids`, `length`, `clear`, `scan`, `stats` and `destroyBy` with `thorough`. */
  isAdmin?: boolean
  isCluster?: boolean
  database?: number
}

/** Lists the commands that this Redis user needs, and that the server has. */
export function commandsFor(subject: AclSubject): readonly NeededCommand[] {
  return commandsOf(subject).filter(({ since }) => since === undefined || !isOlder(subject.version, since))
}

/** Lists the commands that this Redis user needs, also those that only newer servers have. */
function commandsOf(subject: AclSubject): readonly NeededCommand[] {
  return NEEDED_COMMANDS.filter(({ use }) => {
    if (use === 'administration') return subject.isAdmin === true
    if (use === 'cluster') return subject.isCluster === true
    if (use === 'database') return (subject.database ?? 0) !== 0
    return true
  })
}

/** Makes the rules for ACL SETUSER: only the commands that a store needs, only on its own keys. */
export function aclRules(subject: AclSubject): string[] {
  // Redis before 7.0 takes any word for a subcommand, and logs clients that try one without permission, known or not.
  const isUnknownLogged = isOlder(subject.version, [7, 0])
  const known = new Set(commandsFor(subject))
  const rules = commandsOf(subject)
    .filter((command) => known.has(command) || (isUnknownLogged && command.name.includes('|')))
    .map(({ name }) => `+${name}`)
  return [...keyRules(subject), '-@all', ...rules]
}

/** Makes the rules for keys and channels. */
export function keyRules({ prefix, version }: Pick<AclSubject, 'prefix' | 'version'>): string[] {
  const keys = new Keys(literally(prefix))
  const patterns = [`~${keys.session('*')}`, `~idx:${keys.prefix}*`]
  return isOlder(version, [6, 2]) ? patterns : [...patterns, `&${endedChannel(keys)}`, '&__redis__:invalidate']
}

export function isOlder(version: readonly [number, number], than: readonly [number, number]): boolean {
  return version[0] !== than[0] ? version[0] < than[0] : version[1] < than[1]
}

/** Escapes a text for a pattern. Rules cannot contain blanks, so `?` stands for each. */
function literally(prefix: string): string {
  return prefix.replace(/[\\*?[\]]/g, '\\$&').replace(/\s/g, '?')
}
