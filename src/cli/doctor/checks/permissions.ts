import { keyRules } from '../../../redis/permissions/acl.js'
import { NEEDED_COMMANDS, type NeededCommand, type Use } from '../../../redis/permissions/commands.js'
import { type Facts, type Permission, versionOf } from '../facts.js'
import { type Finding, findingsOf, type Level } from '../finding.js'

/** What happens without the commands for each use. */
const WITHOUT: Readonly<Record<Use, readonly [level: Level, consequence: string]>> = {
  sessions: ['problem', 'Requests with a session fail with ERR_SESSION_FORBIDDEN (status 503).'],
  'connect-redis': ['warning', 'Sessions that connect-redis wrote cannot be read.'],
  disableTTL: ['warning', 'With disableTTL, or when hashIds is changed, sessions may expire that should not.'],
  increment: ['warning', 'store.increment fails.'],
  rotateOnLogin: ['warning', 'A slow request that began before the login may undo it for that visitor.'],
  indexes: ['warning', 'Stores with indexes fail to save; secureSession and rotateOnLogin() have one.'],
  limit: ['warning', 'With limit, logins fail.'],
  onEnd: ['warning', 'With onEnd, it is not called for sessions that have expired.'],
  replicas: ['warning', 'With replicas, every logout fails.'],
  activity: ['warning', 'With activity, nothing is counted.'],
  broadcast: ['warning', 'With broadcast, other processes learn up to a minute late that a session has ended.'],
  cache: ['warning', 'With cache, every session is read from Redis each time, as without it.'],
  administration: [
    'note',
    'all, ids, length, clear, scan, stats and destroyBy with thorough fail: give them a user of their own.',
  ],
  connection: [
    'warning',
    'ioredis works without, and each connection leaves an entry in ACL LOG. Without INFO it sends commands before Redis has loaded its data.',
  ],
  cluster: ['problem', 'ioredis cannot find the nodes of the Cluster, or follow slots that move.'],
  database: ['problem', 'All that is sent goes to database 0.'],
}

export function checkPermissions(facts: Facts): Finding[] {
  const { ok, unknown } = findingsOf('permissions')
  const commands = NEEDED_COMMANDS.filter(({ name }) => facts.permissions[name] !== undefined)
  if (commands.length === 0) return []
  const by = (permission: Permission) => commands.filter((command) => permissionFor(facts, command) === permission)
  const untold = by('unknown')
  if (untold.length === commands.length) {
    return [unknown('what the user may do: only Redis 7 and later tell that of another user (ACL DRYRUN)')]
  }
  const patterns = missingPatterns(facts, commands)
  // If the user may use no keys at all, every command on a key is denied, so that its own permission is unknown.
  const isBlind = patterns.length === 2
  const shown = by('denied').filter((command) => !isBlind || !isKeyed(command))
  const found = [...withoutPatterns(facts, patterns), ...missing(by('missing')), ...denied(facts, shown)]
  if (untold.length > 0) found.push(unknown(`whether the user may run ${namesOf(untold)}`))
  if (found.some(({ level }) => level === 'problem' || level === 'warning')) return found
  return [...found, ok(`${facts.user ?? 'the user'} may run every command that a request needs`)]
}

function withoutPatterns(facts: Facts, patterns: readonly string[]): Finding[] {
  const { problem } = findingsOf('permissions')
  if (patterns.length === 0) return []
  return [
    problem(
      `the user may not use keys like ${patterns.map((pattern) => pattern.slice(1)).join(' and ')}`,
      'Requests with a session fail with ERR_SESSION_FORBIDDEN (status 503).',
      [`ACL SETUSER ${userOf(facts)} ${patterns.join(' ')}`, 'The whole line: connect-redis-hash doctor --acl'],
    ),
  ]
}

function missing(commands: readonly NeededCommand[]): Finding[] {
  const { problem } = findingsOf('permissions')
  if (commands.length === 0) return []
  return [
    problem(
      `the server has no ${namesOf(commands)}`,
      'Either it is no Redis, or somebody has renamed these commands. What needs them fails.',
      'Remove rename-command from redis.conf, and forbid by ACL instead',
    ),
  ]
}

/** Makes one finding per use of the denied commands. */
function denied(facts: Facts, commands: readonly NeededCommand[]): Finding[] {
  return (Object.keys(WITHOUT) as Use[]).flatMap((use) => {
    const some = commands.filter((command) => command.use === use)
    if (some.length === 0) return []
    const [usually, consequence] = WITHOUT[use]
    const level = use === 'administration' && facts.isAdmin ? 'problem' : usually
    const [, , ended, invalidate] = rulesOf(facts)
    const channel = use === 'broadcast' ? ended : use === 'cache' ? invalidate : undefined
    const rules = [...(channel === undefined ? [] : [channel]), ...some.map(({ name }) => `+${name}`)]
    const finding: Finding = { check: 'permissions', level, what: `the user may not run ${namesOf(some)}`, consequence }
    return level === 'note' ? [finding] : [{ ...finding, change: [`ACL SETUSER ${userOf(facts)} ${rules.join(' ')}`] }]
  })
}

/**
 * Finds key patterns that the user lacks: if all commands are denied on one kind of key, the pattern is missing, not
 * the commands. Unknown permissions are left out.
 */
function missingPatterns(facts: Facts, commands: readonly NeededCommand[]): string[] {
  const [session, index] = rulesOf(facts)
  const keyed = commands.filter(isKeyed)
  const isShut = (area: 'session' | 'index') => {
    const known = keyed.map(({ name }) => facts.permissions[name]?.[area]).filter((permission) => isTold(permission))
    return known.length > 0 && known.every((permission) => permission === 'denied')
  }
  return [...(isShut('session') ? [session] : []), ...(isShut('index') ? [index] : [])] as string[]
}

/** The permission of a command. It is denied only if it is denied on every key; otherwise a key pattern is missing. */
function permissionFor({ permissions }: Facts, { name, area }: NeededCommand): Permission {
  const { session, index } = permissions[name] as { session: Permission; index: Permission }
  if (session === index) return session
  if (session === 'missing' || index === 'missing') return 'missing'
  if (area === 'session' || area === 'index' || area === 'both') return 'allowed'
  return session
}

const isTold = (permission: Permission | undefined) => permission === 'allowed' || permission === 'denied'
const isKeyed = ({ area }: NeededCommand) => area !== 'none' && area !== 'channel'
const rulesOf = (facts: Facts) => keyRules({ prefix: facts.prefix, version: versionOf(facts) ?? [7, 2] })
const userOf = ({ user }: Facts) => user ?? '<user>'
const namesOf = (commands: readonly NeededCommand[]) =>
  commands.map(({ name }) => name.replace('|', ' ').toUpperCase()).join(', ')
