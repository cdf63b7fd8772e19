import { type AclSubject, aclRules, isOlder } from '../../redis/permissions/acl.js'
import { CommandError } from '../io.js'

/** A placeholder that Redis refuses as a digest, so that a line pasted unchanged creates no user. */
const PASSWORD = '#<SHA-256 of the password>'

/**
 * Returns an ACL SETUSER command for redis-cli.
 *
 * @throws CommandError if this version of Redis has no users
 */
export function aclLine(subject: AclSubject): string {
  if (isOlder(subject.version, [6, 0])) throw new CommandError('Redis has users from 6.0 on; this one is older.')
  const user = subject.isAdmin ? 'sessions-admin' : 'sessions'
  const words = [user, 'reset', 'on', PASSWORD, ...aclRules(subject)]
  return `ACL SETUSER ${words.map(quoted).join(' ')}`
}

/** Quotes a word for redis-cli. */
function quoted(word: string): string {
  return /["'\\\s]/.test(word) ? `"${word.replace(/[\\"]/g, '\\$&')}"` : word
}
