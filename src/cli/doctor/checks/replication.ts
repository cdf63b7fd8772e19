import { isOlder } from '../../../redis/permissions/acl.js'
import { type Facts, numberOf, versionOf } from '../facts.js'
import { type Finding, findingsOf, NO_INFO } from '../finding.js'

const LATE_SECONDS = 10
/** States of a replica that gets the whole data set. */
const COPYING: ReadonlySet<string> = new Set(['wait_bgsave', 'send_bulk', 'send_bulk_and_stream'])
/** The first version that asks for replicas before a script may write. */
const ASKS_IN_SCRIPTS = [7, 0] as const

export function checkReplication(facts: Facts): Finding[] {
  const { note, ok, unknown } = findingsOf('replication')
  const { info, config } = facts
  if (info?.role === undefined) return [unknown(NO_INFO)]
  if (info.role === 'slave') return [isReplica(info)]
  const replicas = replicasOf(info)
  const needed = numberOf(config, 'min-replicas-to-write') ?? 0
  const isAsked = !isOlder(versionOf(facts) ?? ASKS_IN_SCRIPTS, ASKS_IN_SCRIPTS)
  const tooFew = isAsked ? tooFewReplicas(info, needed) : neverAsked(needed)
  const found = [...tooFew, ...lateReplicas(replicas)]
  if (found.length > 0) return found
  if (replicas.length === 0) return [note('a master without replicas: if this machine is lost, so are all sessions')]
  const loss =
    needed > 0 ? '' : '; a failover loses what was not yet copied, a moment at most (min-replicas-to-write 0)'
  return [ok(`a master, ${replicas.length} replica${replicas.length === 1 ? '' : 's'} in step${loss}`)]
}

type Info = NonNullable<Facts['info']>

function isReplica(info: Info): Finding {
  const { problem } = findingsOf('replication')
  const master = `${info.master_host}:${info.master_port}`
  return problem(
    `this is a replica of ${master}${linkOf(info)}`,
    'It takes no writes: nobody can log in, and what it reads may be out of date.',
    `Use the master: redis://${master}. With Sentinel or Cluster, let ioredis find it`,
  )
}

function linkOf({ master_link_status, master_sync_in_progress, master_link_down_since_seconds }: Info): string {
  if (master_link_status === 'up') return ''
  // -1: it has never been connected. The master may still be writing the file that it is going to send.
  const isFirst = master_sync_in_progress === '1' || master_link_down_since_seconds === '-1'
  return isFirst ? ', whose data it is about to copy' : ', which it has lost'
}

function tooFewReplicas(info: Info, needed: number): Finding[] {
  const { problem } = findingsOf('replication')
  // Redis reports this field only if min-replicas-to-write is above 0.
  const good = numberOf(info, 'min_slaves_good_slaves')
  if (good === undefined || good >= needed) return []
  return [
    problem(
      `${good} replicas keep up, and min-replicas-to-write is ${needed}`,
      'Redis refuses to write: every save fails with ERR_SESSION_NO_REPLICAS (status 503).',
      ['Bring the replicas back', `Until then: CONFIG SET min-replicas-to-write ${good}`],
    ),
  ]
}

function neverAsked(needed: number): Finding[] {
  const { warning } = findingsOf('replication')
  if (needed === 0) return []
  return [
    warning(
      `min-replicas-to-write is ${needed}, and Redis before 7.0 does not ask for replicas in scripts`,
      'Sessions are saved and ended all the same, and a failover may lose that.',
      "Set the store's option replicas, or upgrade to Redis 7.2 or later",
    ),
  ]
}

function lateReplicas(replicas: readonly Replica[]): Finding[] {
  const { warning } = findingsOf('replication')
  return replicas
    .filter(({ state, lag }) => !(state === 'online' && lag <= LATE_SECONDS))
    .map(({ address, state, lag }) => {
      const isCopying = COPYING.has(state)
      const how = isCopying
        ? 'still copies everything'
        : state === 'online'
          ? `is ${lag} s behind`
          : `is not in step (${state})`
      return warning(
        `the replica ${address} ${how}`,
        isCopying
          ? 'It cannot become the master yet.'
          : 'If it becomes the master now, logins since are gone, and sessions that were ended since are back.',
        isCopying ? 'Wait until its state is online' : 'Look at its log and at the network between the two',
      )
    })
}

interface Replica {
  address: string
  state: string
  /** Seconds since the replica last confirmed what it has received. */
  lag: number
}

/** Parses `slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=0`. */
function replicasOf(info: Info): Replica[] {
  return Object.entries(info).flatMap(([name, text]) => {
    if (!/^slave\d+$/.test(name)) return []
    const fields = Object.fromEntries(text.split(',').map((pair) => pair.split('=') as [string, string]))
    return [{ address: `${fields.ip}:${fields.port}`, state: fields.state ?? 'unknown', lag: Number(fields.lag ?? 0) }]
  })
}
