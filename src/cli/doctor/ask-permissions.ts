import { CommandError } from '../io.js'
import type { Permission } from './facts.js'
import type { Questions } from './questions.js'

/** Asks Redis for the permission of each command, without running any; undefined if Redis does not tell. */
export type Ask = (commands: readonly (readonly string[])[]) => Promise<Permission[] | undefined>

/**
 * Asks Redis (7 and later) what this user may do. It runs no command, and adds nothing to ACL LOG.
 *
 * ARGV      for each command: the number of its words, the words      '3', 'hget', 'sess:x3J…', '@'
 *
 * returns   for each command: 1 allowed, 0 denied, -1 there is no such command; nil before Redis 7
 */
const MAY_RUN = `
if not redis.acl_check_cmd then return false end
local reply, i = {}, 1
while i <= #ARGV do
  local last = i + tonumber(ARGV[i])
  local is_known, may = pcall(redis.acl_check_cmd, unpack(ARGV, i + 1, last))
  reply[#reply + 1] = is_known and (may and 1 or 0) or -1
  i = last + 1
end
return reply
`
const ANSWERS: Readonly<Record<string, Permission>> = { '1': 'allowed', '0': 'denied', '-1': 'missing' }

/** Asks about the user of the connection. It needs Redis 7 and a user who may run scripts. */
export function askForUs(connection: Questions): Ask {
  return async (commands) => {
    const words = commands.flatMap((command) => [String(command.length), ...command])
    const reply = await connection.list('EVAL', MAY_RUN, 0, ...words)
    return reply?.map((code) => ANSWERS[String(code)] ?? 'unknown')
  }
}

/** Asks about another user. It needs Redis 7 and an administrator. */
export function askFor(connection: Questions, user: string): Ask {
  return async (commands) => {
    if ((await connection.list('ACL', 'GETUSER', user)) === undefined) {
      throw new CommandError(`The server has no user ${user}, or the one of the URL may not look at users.`)
    }
    return Promise.all(
      commands.map(async (command): Promise<Permission> => {
        const answer = await connection.ask('ACL', 'DRYRUN', user, ...command)
        if ('value' in answer) return answer.value === 'OK' ? 'allowed' : 'denied'
        // An unknown command gives an error without a code of its own. So does DRYRUN itself before Redis 7.
        return answer.error === 'ERR' && !answer.isUnknown ? 'missing' : 'unknown'
      }),
    )
  }
}
