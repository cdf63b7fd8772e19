import { randomBytes } from 'node:crypto'
import { keyRules } from '../../redis/permissions/acl.js'
import { NEEDED_COMMANDS, type NeededCommand } from '../../redis/permissions/commands.js'
import { askForUs } from '../doctor/ask-permissions.js'
import { Connection } from '../doctor/connection.js'
import { fieldsOf, type KeyPermission, versionOf } from '../doctor/facts.js'
import { readPermissions } from '../doctor/read-permissions.js'

/**
 * Lists the rules that a Redis user lacks for some commands, as ACL SETUSER takes them: `+scan`, `~idx:sess:*`.
 *
 * @param needs names of commands
 * @returns nothing if Redis does not tell
 */
export async function lackingRules(
  url: string,
  keyPrefix: string,
  prefix: string,
  needs: readonly string[],
): Promise<string[]> {
  // The patterns of `doctor` know no prefix of the client.
  if (keyPrefix !== '') return []
  const connection = await Connection.open(url)
  try {
    const commands = NEEDED_COMMANDS.filter(({ name }) => needs.includes(name))
    const unusedName = `cli-${randomBytes(9).toString('base64url')}`
    const ask = askForUs(connection)
    const found = await readPermissions(ask, connection, commands, prefix, unusedName)
    const info = fieldsOf((await connection.text('INFO', 'server')) ?? '')
    const patterns = keyRules({ prefix, version: versionOf({ info }) ?? [7, 2] })
    return rulesFor(commands, found, patterns)
  } finally {
    connection.close()
  }
}

type Area = keyof KeyPermission

function rulesFor(
  commands: readonly NeededCommand[],
  found: Readonly<Record<string, KeyPermission>>,
  [session = '', index = '']: readonly string[],
): string[] {
  const keyed = (area: Area) => commands.filter((one) => one.area === area || one.area === 'both')
  const isDenied = (area: Area, { name }: NeededCommand) => found[name]?.[area] === 'denied'
  // A pattern is missing if no command may use its keys. One command alone tells that only if it may use other keys.
  const isShut = (area: Area) =>
    keyed(area).length > 0 &&
    keyed(area).every((one) => isDenied(area, one)) &&
    (keyed(area).length > 1 || !keyed(area).every((one) => isDenied('session', one) && isDenied('index', one)))
  const denied = commands.filter((one) => isDenied('session', one) && isDenied('index', one))
  const shut = [...(isShut('session') ? [session] : []), ...(isShut('index') ? [index] : [])]
  return [...shut, ...(shut.length === 2 ? denied.filter(({ area }) => area === 'none') : denied).map(nameOf)]
}

const nameOf = ({ name }: NeededCommand) => `+${name}`
