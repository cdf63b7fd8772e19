import { type EventEmitter, once } from 'node:events'
import type { RedisClient } from '../../redis/clients/redis-client.js'
import { connectRedis } from '../../redis/connect/connect-redis.js'
import { library } from '../../redis/connect/library.js'
import { parseUrl } from '../../redis/connect/redis-url.js'
import { Connection } from '../doctor/connection.js'
import { fieldsOf } from '../doctor/facts.js'
import { parseTarget, type Target } from '../doctor/target.js'
import { unreachable } from '../doctor/unreachable.js'
import { CommandError } from '../io.js'
import { printable } from '../output/printable.js'
import { parseWhere, type Where } from './where.js'

/** What a command needs of the client itself; the store does the rest. */
export type CliClient = RedisClient &
  EventEmitter & { ping(): Promise<unknown>; quit(): Promise<unknown>; disconnect(): void }

/** Milliseconds. A person waits longer than a visitor of a web page. */
export const TIMEOUT_MS = 10_000

export interface Connected {
  client: CliClient
  /** What was connected to, without user and password. */
  address: string
  /** URL of a server that can be asked for permissions. */
  url: string
}

/**
 * Connects to a server, a Cluster or the master that Sentinels know. One server is asked first what it is, so that the
 * plain URL of a node or of a Sentinel will do.
 *
 * @throws CommandError that says what is wrong, without user and password
 */
export async function connect(address: string, keyPrefix: string): Promise<Connected> {
  assertInstalled()
  const where = parseWhere(address)
  const { kind, url, target, masters } = await examine(where)
  // The check sends INFO, and ioredis warns of users who may not. A server that is loading its data says so anyway.
  const options = { keyPrefix, commandTimeout: TIMEOUT_MS, enableReadyCheck: false }
  let client: CliClient
  try {
    if (kind === 'sentinel') client = connectRedis({ ...options, ...bySentinels(where, url, masters) })
    else if (kind === 'one') client = connectRedis({ ...parseUrl(url), ...options })
    else client = connectRedis([...where.urls], { keyPrefix, redisOptions: { commandTimeout: TIMEOUT_MS } })
  } catch (err) {
    // What connectRedis throws does not contain the URL.
    throw err instanceof TypeError ? new CommandError(`${err.message}.`) : err
  }
  await ready(client, target)
  return { client, address: target.address, url: kind === 'sentinel' ? masterUrl(where, url, client) : url }
}

async function ready(client: CliClient, target: Target): Promise<void> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), TIMEOUT_MS)
  try {
    // This rejects with the first error of the client.
    await once(client, 'ready', { signal: late.signal })
    client.on('error', () => undefined)
  } catch (err) {
    client.on('error', () => undefined)
    client.disconnect()
    throw unreachable(late.signal.aborted ? new Error('Command timed out') : err, target)
  } finally {
    clearTimeout(timer)
  }
}

export interface Examined {
  kind: 'one' | 'cluster' | 'sentinel'
  /** The first URL that answers. */
  url: string
  target: Target
  /** Names of the masters that a Sentinel knows. */
  masters: readonly string[]
}

/** Asks the first server that answers what it is. */
export async function examine({ urls, sentinels }: Where): Promise<Examined> {
  const targets = urls.map(parseTarget)
  let why: unknown
  for (const [i, url] of urls.entries()) {
    const target = targets[i] as Target
    try {
      const connection = await Connection.open(url)
      try {
        const known = await kindOf(connection, urls.length > 1 && sentinels === undefined)
        if (sentinels !== undefined && known.kind !== 'sentinel')
          throw new CommandError(`${target.address} is no Sentinel.`)
        return { ...known, url, target }
      } finally {
        connection.close()
      }
    } catch (err) {
      why ??= err instanceof CommandError ? err : unreachable(err, target)
    }
  }
  throw why
}

async function kindOf(connection: Connection, isCluster: boolean): Promise<Pick<Examined, 'kind' | 'masters'>> {
  const info = fieldsOf((await connection.text('INFO')) ?? '')
  // The names of this field in Redis and in Valkey.
  if ((info.redis_mode ?? info.server_mode) === 'sentinel') {
    const masters = (await connection.list('SENTINEL', 'MASTERS')) ?? []
    return { kind: 'sentinel', masters: masters.map((fields) => String((fields as unknown[])[1])) }
  }
  const state = info.cluster_enabled ?? (await connection.text('CLUSTER', 'INFO'))
  const isNode = state === '1' || state?.includes('cluster_state') === true
  if (isCluster && !isNode) throw new CommandError('The URL names several servers, but they are no Cluster: name one.')
  return { kind: isNode ? 'cluster' : 'one', masters: [] }
}

/**
 * @param given name in the URL, if there is one
 * @param masters names that the Sentinel knows
 */
export function masterName(given: string | undefined, masters: readonly string[]): string {
  const name = given ?? (masters.length === 1 ? masters[0] : undefined)
  if (name !== undefined && masters.includes(name)) return name
  const known = masters.length === 0 ? 'It knows none.' : `It knows ${masters.map(printable).join(', ')}.`
  const what = name === undefined ? 'Say which master the Sentinel is to find' : 'The Sentinel knows no such master'
  throw new CommandError(`${what}: redis-sentinel://host:26379/name-of-master. ${known}`)
}

/** @param url the Sentinel that answers: it may have been given as a plain URL */
function bySentinels({ sentinels }: Where, url: string, masters: readonly string[]) {
  const { host, port, ...rest } = parseUrl(sentinels?.rest ?? url) as { host: string; port: number }
  const name = masterName(sentinels?.name, masters)
  // The connections that listen for failovers print errors of Sentinels that are away, and a command is soon over.
  const quiet = { failoverDetector: false }
  const tls = sentinels?.isTls ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}
  return {
    ...rest,
    ...tls,
    ...quiet,
    name,
    sentinels: sentinels === undefined ? [{ host, port }] : [...sentinels.hosts],
  }
}

/** The URL of the master that the client has found. */
function masterUrl({ sentinels }: Where, url: string, client: CliClient): string {
  const { remoteAddress, remotePort } =
    (client as { stream?: { remoteAddress?: string; remotePort?: number } }).stream ?? {}
  const master = new URL(sentinels?.rest ?? url)
  master.hostname = remoteAddress?.includes(':') ? `[${remoteAddress}]` : (remoteAddress ?? master.hostname)
  master.port = String(remotePort ?? '')
  return master.href
}

function assertInstalled(): void {
  try {
    library('connect-redis-hash')
  } catch (err) {
    throw new CommandError(`${(err as Error).message}.`)
  }
}
