import { type AclSubject, aclRules, isOlder } from '../../redis/permissions/acl.js'
import { CommandError } from '../io.js'

/** Redis refuses this as a digest: a line that somebody pastes as it is makes no user. */
const PASSWORD = '#<SHA-256 of the password>'

/**
 * To be typed into redis-cli.
 *
 * @throws CommandError for a Redis that has no users
 */
export function aclLine(subject: AclSubject): string {
  if (isOlder(subject.version, [6, 0])) throw new CommandError('Redis has users from 6.0 on; this one is older.')
  const user = subject.isAdmin ? 'sessions-admin' : 'sessions'
  const words = [user, 'reset', 'on', PASSWORD, ...aclRules(subject)]
  return `ACL SETUSER ${words.map(quoted).join(' ')}`
}

/** As redis-cli reads it. */
function quoted(word: string): string {
  return /["'\\\s]/.test(word) ? `"${word.replace(/[\\"]/g, '\\$&')}"` : word
}
