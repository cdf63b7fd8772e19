import { isOlder } from '../../../redis/permissions/acl.js'
import { type Facts, versionOf } from '../facts.js'
import { type Finding, findingsOf, NO_INFO } from '../finding.js'

/** The oldest version that is tested (docs/compatibility.md). */
const OLDEST = [6, 0] as const
/** The oldest version that Redis still makes security fixes for. */
const OLDEST_MAINTAINED = [7, 2] as const

export function checkVersion(facts: Facts): Finding[] {
  const { note, ok, problem, unknown } = findingsOf('version')
  const version = versionOf(facts)
  if (version === undefined) return [unknown(NO_INFO)]
  const name = nameOf(facts)
  if (isOlder(version, OLDEST)) {
    return [
      problem(
        `${name} is too old: 6.0 is the first that is supported`,
        'It has no users and no client tracking; before 5.0, no session can be saved.',
        'Upgrade to Redis 7.2 or later, or Valkey',
      ),
    ]
  }
  if (facts.config?.['lua-replicate-commands'] === 'no') {
    return [
      problem(
        'lua-replicate-commands is no',
        'Scripts that ask for the time may not write then: no session can be saved.',
        'CONFIG SET lua-replicate-commands yes',
      ),
    ]
  }
  if (isOlder(version, OLDEST_MAINTAINED)) {
    return [note(`${name} works; security fixes for it come from its distribution, no longer from Redis`)]
  }
  return [ok(name)]
}

/** The name and version that the server gives itself. */
export function nameOf({ info }: Pick<Facts, 'info'>): string {
  if (info?.valkey_version) return `Valkey ${info.valkey_version}`
  if (info?.dragonfly_version) return `Dragonfly ${info.dragonfly_version}`
  return info?.redis_version ? `Redis ${info.redis_version}` : 'Redis'
}

/** Finds a Sentinel, which knows the address of a Redis but stores nothing. No other check makes sense then. */
export function checkSentinel({ sentinelMasters, target }: Facts): Finding[] {
  if (sentinelMasters === undefined) return []
  const { problem } = findingsOf('server')
  const masters = Object.entries(sentinelMasters)
  const [name = 'mymaster'] = Object.keys(sentinelMasters)
  return [
    problem('this is a Sentinel, not a Redis', 'It knows no command that a session needs: every request fails.', [
      `connectRedis({ sentinels: [{ host: '${target.host}', port: ${target.address.split(':').at(-1)} }], name: '${name}' })`,
      ...masters.map(([known, address]) => `To examine ${known}: connect-redis-hash doctor redis://${address}`),
    ]),
  ]
}

const STATES: Readonly<Record<string, readonly [what: string, change: string]>> = {
  LOADING: ['it is loading its data from disk', 'Wait until INFO says loading:0'],
  BUSY: ["somebody's script has been running for too long", 'SCRIPT KILL'],
  MASTERDOWN: ['it is a replica that has lost its master', 'Use the address of the master'],
  MISCONF: ['it cannot save to disk', 'Look at its log: is the disk full?'],
}

/** Finds a server that answers every command with an error. */
export function checkState({ state }: Facts): Finding[] {
  if (state === undefined) return []
  const { problem } = findingsOf('state')
  const [what, change] = STATES[state] ?? [`it answers ${state} to PING`, 'Look at its log']
  return [problem(what, 'Until that is over, requests with a session fail with status 503.', change)]
}
