/** The feature that does not work without a command. */
export type Use =
  | 'sessions'
  | 'connect-redis'
  | 'disableTTL'
  | 'increment'
  | 'rotateOnLogin'
  | 'indexes'
  | 'limit'
  | 'onEnd'
  | 'replicas'
  | 'activity'
  | 'broadcast'
  | 'cache'
  | 'administration'
  | 'connection'
  | 'cluster'
  | 'database'

/** The keys that a command touches; `both`: those of sessions, and the other keys of the store. */
type Area = 'session' | 'index' | 'both' | 'channel' | 'none'

export interface NeededCommand {
  /** The name in ACL rules, e.g. `client|id`. */
  readonly name: string
  readonly use: Use
  readonly area: Area
  readonly why: string
  /** The first version that has the command, if older versions are supported as well. */
  readonly since?: readonly [major: number, minor: number]
}

/**
 * Every command that the store or one of its scripts sends. Redis requires a permission for both. The ACL line
 * (redis/permissions/acl.ts), `doctor` and the documentation are made from this list.
 */
export const NEEDED_COMMANDS: readonly NeededCommand[] = [
  { name: 'hgetall', use: 'sessions', area: 'session', why: 'loads a session' },
  { name: 'hmget', use: 'sessions', area: 'session', why: 'reads some properties' },
  { name: 'hget', use: 'sessions', area: 'session', why: 'reads bookkeeping' },
  { name: 'hkeys', use: 'sessions', area: 'session', why: 'replaces a session' },
  { name: 'hset', use: 'sessions', area: 'session', why: 'saves' },
  { name: 'hdel', use: 'sessions', area: 'session', why: 'removes properties' },
  { name: 'type', use: 'sessions', area: 'session', why: 'leaves keys alone that are no session' },
  { name: 'exists', use: 'sessions', area: 'both', why: 'tells whether a session is there, or was given up' },
  { name: 'del', use: 'sessions', area: 'session', why: 'ends a session' },
  { name: 'pexpire', use: 'sessions', area: 'both', why: 'lets it expire' },
  { name: 'pttl', use: 'sessions', area: 'both', why: 'tells when it expires' },
  { name: 'time', use: 'sessions', area: 'none', why: 'one clock for all servers' },
  { name: 'evalsha', use: 'sessions', area: 'both', why: 'every write is one script' },
  { name: 'eval', use: 'sessions', area: 'both', why: 'the same, the first time after a start of Redis' },
  { name: 'ping', use: 'sessions', area: 'none', why: 'notices when Redis is back' },
  {
    name: 'get',
    use: 'sessions',
    area: 'both',
    why: 'reads strings that connect-redis wrote, and where a session went on',
  },
  { name: 'persist', use: 'disableTTL', area: 'both', why: 'takes the TTL away where there is to be none' },
  { name: 'hincrby', use: 'increment', area: 'session', why: 'counts, whole numbers' },
  { name: 'hincrbyfloat', use: 'increment', area: 'session', why: 'counts, fractions' },
  {
    name: 'set',
    use: 'rotateOnLogin',
    area: 'both',
    why: 'notes that an id was given up, and writes strings for connect-redis',
  },
  { name: 'zadd', use: 'indexes', area: 'index', why: 'enters a session' },
  { name: 'zrem', use: 'indexes', area: 'index', why: 'takes it out' },
  { name: 'zscore', use: 'indexes', area: 'index', why: 'tells whether it is in' },
  { name: 'zrange', use: 'indexes', area: 'index', why: 'finds sessions' },
  { name: 'zrevrange', use: 'indexes', area: 'index', why: 'tells how long the index is needed' },
  { name: 'zcount', use: 'indexes', area: 'index', why: 'counts sessions' },
  { name: 'zremrangebyscore', use: 'indexes', area: 'index', why: 'drops what has expired' },
  { name: 'pexpireat', use: 'indexes', area: 'both', why: 'lets the index expire, and a session that moves' },
  { name: 'zcard', use: 'limit', area: 'index', why: 'counts sessions' },
  { name: 'zrangebyscore', use: 'onEnd', area: 'index', why: 'finds sessions that have ended' },
  { name: 'pfadd', use: 'activity', area: 'index', why: 'counts who is active' },
  { name: 'pfcount', use: 'activity', area: 'index', why: 'reads the counts' },
  { name: 'wait', use: 'replicas', area: 'none', why: 'learns what replicas have' },
  { name: 'publish', use: 'broadcast', area: 'channel', why: 'tells of a session that has ended' },
  { name: 'subscribe', use: 'broadcast', area: 'channel', why: 'hears of it' },
  { name: 'client|id', use: 'cache', area: 'none', why: 'the near cache names its connection' },
  { name: 'client|tracking', use: 'cache', area: 'none', why: 'Redis tells it what changes', since: [6, 0] },
  {
    name: 'info',
    use: 'connection',
    area: 'none',
    why: 'tells whether Redis has loaded its data, and whether it was restarted',
  },
  { name: 'client|setinfo', use: 'connection', area: 'none', why: 'ioredis names itself', since: [7, 2] },
  { name: 'asking', use: 'cluster', area: 'none', why: 'follows a slot that moves' },
  { name: 'cluster|slots', use: 'cluster', area: 'none', why: 'ioredis learns which node has which keys' },
  { name: 'cluster|info', use: 'cluster', area: 'none', why: 'ioredis waits until the Cluster is up' },
  { name: 'cluster|nodes', use: 'cluster', area: 'none', why: 'walks through all sessions follow slots that move' },
  { name: 'client|setname', use: 'cluster', area: 'none', why: 'ioredis names its extra connections' },
  { name: 'select', use: 'database', area: 'none', why: 'a database other than 0' },
  // SCAN shows the names of all keys, whichever key patterns the user has.
  {
    name: 'scan',
    use: 'administration',
    area: 'none',
    why: 'walks through all sessions, to list, end or migrate them',
  },
  { name: 'memory|usage', use: 'administration', area: 'both', why: '`stats`' },
]
