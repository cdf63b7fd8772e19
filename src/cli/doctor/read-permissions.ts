import { endedChannel } from '../../redis/channel.js'
import { Keys } from '../../redis/keys.js'
import type { NeededCommand } from '../../redis/permissions/commands.js'
import type { Ask } from './ask-permissions.js'
import type { KeyPermission, Permission } from './facts.js'
import { NOT_HARMLESS, type ProbeKeys, probeOf } from './probes.js'
import type { Questions } from './questions.js'

/**
 * Reads what a user may do with keys of sessions and with other keys.
 *
 * @param ask asks Redis for permissions
 * @param canTry the connection, if its own user is examined: commands are then tried if Redis does not answer `ask`
 * @param name a key name that nobody uses
 */
export async function readPermissions(
  ask: Ask,
  canTry: Questions | undefined,
  commands: readonly NeededCommand[],
  prefix: string,
  name: string,
): Promise<Record<string, KeyPermission>> {
  const places = new Keys(prefix)
  const keys: ProbeKeys = {
    session: places.session(name),
    index: places.index('@doctor', name),
    channel: endedChannel(places),
  }
  const probes = commands.flatMap((command) => [
    probeOf(command, keys.session, keys),
    probeOf(command, keys.index, keys),
  ])
  const permissions = (await ask(probes)) ?? (canTry && (await tryAll(canTry, probes)))
  return Object.fromEntries(
    commands.map(({ name }, i) => [
      name,
      { session: permissions?.[2 * i] ?? 'unknown', index: permissions?.[2 * i + 1] ?? 'unknown' },
    ]),
  )
}

/**
 * Tries the harmless form of each command. Redis checks permissions first, so that a denied command has no other error.
 */
function tryAll(connection: Questions, probes: readonly [string, ...string[]][]): Promise<Permission[]> {
  return Promise.all(
    probes.map(async ([command, ...args]): Promise<Permission> => {
      if (NOT_HARMLESS.has(command)) return 'unknown'
      const answer = await connection.ask(command, ...args)
      if (!('error' in answer)) return 'allowed'
      if (answer.isUnknown) return 'missing'
      return answer.error === 'NOPERM' ? 'denied' : 'allowed'
    }),
  )
}
