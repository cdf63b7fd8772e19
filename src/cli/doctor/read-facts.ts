import { randomBytes } from 'node:crypto'
import { commandsFor } from '../../redis/permissions/acl.js'
import { replyCode } from '../../redis/redis-error.js'
import { askFor, askForUs } from './ask-permissions.js'
import { Connection } from './connection.js'
import { type Facts, fieldsOf, versionOf } from './facts.js'
import type { Questions } from './questions.js'
import { readData } from './read-data.js'
import { readPermissions } from './read-permissions.js'
import { readClockSkew, readLatencyEvents, readPings, readSlowCommands } from './read-speed.js'
import { type Target, withoutLogin } from './target.js'
import { withoutDenied } from './without-denied.js'

const SETTINGS = [
  'maxmemory',
  'maxmemory-policy',
  'appendonly',
  'appendfsync',
  'save',
  'stop-writes-on-bgsave-error',
  'hash-max-listpack-entries',
  'hash-max-listpack-value',
  'hash-max-ziplist-entries',
  'hash-max-ziplist-value',
  'lua-replicate-commands',
  'cluster-require-full-coverage',
  'min-replicas-to-write',
  'timeout',
  'tcp-keepalive',
  'maxclients',
  'bind',
  'port',
  'protected-mode',
]

/** Commands that no store needs. A user who may run them may do anything. */
const NEVER_NEEDED = [['flushall'], ['config', 'set', 'maxmemory', '0']]
/** If the server does not tell its version, do not ask it for commands that came later than this one. */
const UNKNOWN_VERSION = [7, 0] as const

export interface Examination {
  /**
   * Where a connection without a password can be tried; undefined: the connection is that of an application, so that
   * no command is tried on it that would change it, and no walk is made through all keys.
   */
  url: string | undefined
  target: Target
  prefix: string
  isAdmin: boolean
  /** The user whose permissions are examined. Default: the user of the URL. */
  user?: string | undefined
}

/** Reads all facts, and changes nothing. */
export async function readFacts(anyConnection: Questions, examination: Examination): Promise<Facts> {
  const { url, target, prefix, isAdmin, user } = examination
  const connection = await withoutDenied(anyConnection)
  const info = await readInfo(connection)
  // The names of this field in Redis and in Valkey.
  const isSentinel = (info?.redis_mode ?? info?.server_mode) === 'sentinel'
  const isCluster = info?.cluster_enabled === '1'
  const version = versionOf({ info }) ?? UNKNOWN_VERSION
  const needed = isSentinel ? [] : commandsFor({ prefix, version, isAdmin: true, isCluster, database: target.database })
  const ask = user === undefined ? askForUs(connection) : askFor(connection, user)
  const canTry = user === undefined && url !== undefined ? connection : undefined
  const unusedName = `doctor-${randomBytes(9).toString('base64url')}`
  const permissions = await readPermissions(ask, canTry, needed, prefix, unusedName)
  const speed = await readPings(connection)
  // Where SCAN is known to be forbidden, it is not tried: that would leave an entry in ACL LOG.
  const isPermitted = user === undefined ? permissions.scan?.session === 'allowed' : !isSentinel
  const mayScan = isPermitted && url !== undefined
  const elsewhere =
    (await ask([
      ['hget', unusedName, '@'],
      ['getrange', unusedName, '0', '1'],
    ])) ?? []
  const look = {
    prefix,
    total: Number(/keys=(\d+)/.exec(info?.[`db${target.database}`] ?? '')?.[1] ?? 0),
    mayLookElsewhere: elsewhere.length === 2 && elsewhere.every((permission) => permission === 'allowed'),
  }
  const clockSkewMs = await readClockSkew(connection)
  return {
    target,
    prefix,
    isAdmin,
    info,
    config: await readConfig(connection),
    user: user ?? (await connection.text('ACL', 'WHOAMI')),
    letsAnybodyIn: url === undefined ? undefined : target.hasPassword ? await letsIn(withoutLogin(url)) : true,
    permissions,
    mayDoAnything: (await ask(NEVER_NEEDED))?.every((permission) => permission === 'allowed'),
    ...speed,
    slowCommands: await readSlowCommands(connection),
    latencyEvents: await readLatencyEvents(connection),
    clockSkewMs,
    data: mayScan ? await readData(connection, look) : undefined,
    cluster: isCluster ? await readFields(connection, 'CLUSTER', 'INFO') : undefined,
    sentinelMasters: isSentinel ? await readMasters(connection) : undefined,
  }
}

/** Fields of INFO; undefined if it is forbidden. */
export const readInfo = (connection: Questions) => readFields(connection, 'INFO')

async function readFields(connection: Questions, command: string, ...args: string[]) {
  const text = await connection.text(command, ...args)
  return text === undefined ? undefined : fieldsOf(text)
}

/** Reads one setting per command, because CONFIG GET takes only one name before Redis 7. */
async function readConfig(connection: Questions): Promise<Record<string, string> | undefined> {
  const replies = await Promise.all(SETTINGS.map((name) => connection.list('CONFIG', 'GET', name)))
  if (replies[0] === undefined) return undefined
  const pairs = replies.flatMap((reply) => (reply?.length === 2 ? [reply.map(String) as [string, string]] : []))
  return Object.fromEntries(pairs)
}

/** Whether a client without a password gets in; undefined if the attempt failed for another reason. */
async function letsIn(url: string): Promise<boolean | undefined> {
  try {
    const connection = await Connection.open(url)
    connection.close()
    return true
  } catch (err) {
    return ['NOAUTH', 'DENIED'].includes(replyCode(err)) ? false : undefined
  }
}

async function readMasters(connection: Questions): Promise<Record<string, string>> {
  const masters: Record<string, string> = {}
  for (const master of (await connection.list('SENTINEL', 'MASTERS')) ?? []) {
    const words = Array.isArray(master) ? master.map(String) : []
    const field = (name: string) => words[words.indexOf(name) + 1] ?? ''
    masters[field('name')] = `${field('ip')}:${field('port')}`
  }
  return masters
}
