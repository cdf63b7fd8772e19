import { askForUs } from './ask-permissions.js'
import { type Questions, questionsOver } from './questions.js'

/** What `doctor` reads and no store needs, so that a user with no more permissions than a store needs is denied it. */
const LOOKS = [
  ['config', 'get', 'maxmemory'],
  ['acl', 'whoami'],
  ['slowlog', 'get', '1'],
  ['latency', 'latest'],
] as const

/**
 * Keeps back the looks that Redis would deny to the user of this connection, and answers them as Redis does: Redis itself
 * would make an entry in ACL LOG of each. Redis before 7 does not tell, and is asked everything.
 */
export async function withoutDenied(connection: Questions): Promise<Questions> {
  const permissions = await askForUs(connection)(LOOKS)
  const denied = new Set<string>(LOOKS.flatMap(([command], i) => (permissions?.[i] === 'denied' ? [command] : [])))
  return questionsOver(async (command, ...args) =>
    denied.has(command.toLowerCase()) ? { error: 'NOPERM', isUnknown: false } : connection.ask(command, ...args),
  )
}
