import { aclLine } from '../../src/cli/doctor/acl-line.js'
import { checkAccess } from '../../src/cli/doctor/checks/access.js'
import { checkConnections } from '../../src/cli/doctor/checks/connections.js'
import { checkData } from '../../src/cli/doctor/checks/data.js'
import { checkEncoding } from '../../src/cli/doctor/checks/encoding.js'
import { checkMemory } from '../../src/cli/doctor/checks/memory.js'
import { checkPermissions } from '../../src/cli/doctor/checks/permissions.js'
import { checkPersistence } from '../../src/cli/doctor/checks/persistence.js'
import { checkReplication } from '../../src/cli/doctor/checks/replication.js'
import { checkState, checkVersion } from '../../src/cli/doctor/checks/server.js'
import { checkClock, checkLatency } from '../../src/cli/doctor/checks/speed.js'
import type { Facts } from '../../src/cli/doctor/facts.js'
import type { Finding } from '../../src/cli/doctor/finding.js'
import { judge } from '../../src/cli/doctor/judge.js'
import { asText } from '../../src/cli/doctor/report.js'
import { parseTarget, withoutLogin } from '../../src/cli/doctor/target.js'
import { unreachable } from '../../src/cli/doctor/unreachable.js'

/** Facts that no server of one's own gives: other versions, other clocks, machines far away. */
function facts(some: Partial<Facts> & { url?: string } = {}): Facts {
  return {
    target: parseTarget(some.url ?? 'redis://localhost'),
    prefix: 'sess:',
    isAdmin: false,
    info: undefined,
    config: undefined,
    user: undefined,
    letsAnybodyIn: false,
    permissions: {},
    mayDoAnything: false,
    state: undefined,
    pingsMs: [],
    slowCommands: [],
    latencyEvents: {},
    clockSkewMs: 0,
    data: undefined,
    cluster: undefined,
    sentinelMasters: undefined,
    ...some,
  }
}
const brief = (findings: Finding[]) => findings.map(({ level, what }) => `${level}: ${what}`)

test.each([
  ['5.0.7', {}, 'problem: Redis 5.0.7 is too old: 6.0 is the first that is supported'],
  ['6.2.14', {}, 'note: Redis 6.2.14 works; '],
  ['7.2.4', {}, 'ok: Redis 7.2.4'],
  ['10.0.1', {}, 'ok: Redis 10.0.1'],
  ['7.2.4', { valkey_version: '8.1.0' }, 'ok: Valkey 8.1.0'],
])('version %s %j', (redis_version, more, said) => {
  const [only] = brief(checkVersion(facts({ info: { redis_version, ...more } })))
  expect(only?.slice(0, said.length)).toBe(said)
})

test('Redis 6 may be set up so that scripts cannot save', () => {
  const config = { 'lua-replicate-commands': 'no' }
  expect(brief(checkVersion(facts({ info: { redis_version: '6.0.16' }, config })))).toEqual([
    'problem: lua-replicate-commands is no',
  ])
})

test('Redis 6 calls the compact form ziplist', () => {
  const config = { 'hash-max-ziplist-value': '20', 'hash-max-ziplist-entries': '512' }
  expect(checkEncoding(facts({ info: { redis_version: '6.2.14' }, config }))).toMatchObject([
    { level: 'warning', change: ['CONFIG SET hash-max-ziplist-value 64'] },
  ])
})

test.each([
  [500, 'ok'],
  [-1900, 'ok'],
  [-4000, 'warning'],
  [3_600_000, 'warning'],
] as const)('a clock that is off by %d ms', (clockSkewMs, level) => {
  expect(checkClock(facts({ clockSkewMs }))).toMatchObject([{ level }])
})

test.each([
  [[0.2, 0.3, 1], 'ok'],
  [[11, 12, 13], 'warning'],
  [[0.2, 0.3, 400], 'warning'],
  [[300, 300, 300], 'problem'],
])('PING takes %j ms', (pingsMs, level) => {
  expect(checkLatency(facts({ pingsMs }))).toMatchObject([{ level }])
})

test('a slow command of long ago is forgotten', () => {
  const slow = (hours: number) => [{ at: new Date(Date.now() - hours * 3_600_000), ms: 900, command: 'KEYS' }]
  expect(checkLatency(facts({ slowCommands: slow(30) }))).toEqual([])
  expect(brief(checkLatency(facts({ slowCommands: slow(1) })))).toEqual([
    'warning: 1 command took over 100 ms in the last day, up to 900 ms: KEYS',
  ])
})

describe('a server that is elsewhere', () => {
  test.each([
    [
      'redis://:p@10.0.0.5',
      ['warning: the connection to 10.0.0.5 is not encrypted', 'ok: nobody gets in without a password'],
    ],
    ['rediss://:p@redis.example.org', ['ok: nobody gets in without a password']],
    ['redis://[::1]:6379', ['ok: nobody gets in without a password']],
  ])('%s', (url, said) => {
    expect(brief(checkAccess(facts({ url })))).toEqual(said)
  })

  test('without a password is a problem', () => {
    const findings = checkAccess(facts({ url: 'rediss://redis.example.org', letsAnybodyIn: true }))
    expect(findings).toMatchObject([
      { level: 'problem', change: [expect.stringContaining('requirepass'), expect.anything()] },
    ])
  })
})

describe('what Redis tells of its troubles', () => {
  const info = {
    role: 'master',
    aof_enabled: '1',
    used_memory: String(9 * 2 ** 30),
    maxmemory: '0',
    maxclients: '10000',
  }

  test('a file that cannot be written', () => {
    const say = (more: object) => brief(checkPersistence(facts({ info: { ...info, ...more } })))
    expect(say({ aof_last_write_status: 'err' })).toEqual([
      'problem: the last write to the append-only file has failed',
    ])
    expect(say({ aof_last_bgrewrite_status: 'err' })).toEqual([
      'warning: the last rewrite of the append-only file has failed',
    ])
    // Neither of these stops Redis from writing: it was told to go on, or nobody asked it to save by itself.
    for (const config of [{ save: '60 1', 'stop-writes-on-bgsave-error': 'no' }, { save: '' }]) {
      expect(brief(checkPersistence(facts({ info: { ...info, rdb_last_bgsave_status: 'err' }, config })))).toEqual([
        'warning: the last snapshot has failed',
      ])
    }
  })

  test('a machine that is full', () => {
    const findings = checkMemory(facts({ info: { ...info, total_system_memory: String(10 * 2 ** 30) } }))
    expect(brief(findings)).toEqual([
      "problem: Redis takes 9.0 GB of the machine's 10.0 GB, and maxmemory sets no limit",
    ])
  })

  test('replicas that are behind', () => {
    const slaves = {
      slave0: 'ip=10.0.0.6,port=6379,state=online,offset=14,lag=60',
      slave1: 'ip=10.0.0.7,port=6379,state=wait_bgsave,offset=0,lag=0',
      slave2: 'ip=10.0.0.8,port=6379,state=online,offset=14,lag=1',
    }
    expect(brief(checkReplication(facts({ info: { ...info, ...slaves } })))).toEqual([
      'warning: the replica 10.0.0.6:6379 is 60 s behind',
      'warning: the replica 10.0.0.7:6379 still copies everything',
    ])
  })

  test('clients that were turned away', () => {
    const config = { 'tcp-keepalive': '300', timeout: '0' }
    expect(brief(checkConnections(facts({ info: { ...info, rejected_connections: '3' }, config })))).toEqual([
      'warning: 3 connections were turned away since Redis started',
    ])
  })

  test.each(['LOADING', 'MASTERDOWN', 'NEWCODE'])('%s to every command', (state) => {
    expect(checkState(facts({ state }))).toMatchObject([{ level: 'problem' }])
  })
})

test('another user of a Redis that does not tell', () => {
  const unknown = { session: 'unknown', index: 'unknown' } as const
  expect(brief(checkPermissions(facts({ permissions: { hget: unknown, ping: unknown } })))).toEqual([
    'unknown: what the user may do: only Redis 7 and later tell that of another user (ACL DRYRUN)',
  ])
})

test('a Sentinel is told where its masters are, and nothing else', () => {
  const findings = judge(facts({ sentinelMasters: { mymaster: '10.0.0.5:6379' }, url: 'redis://10.0.0.9:26379' }))
  expect(findings[0]).toMatchObject({
    level: 'problem',
    what: 'this is a Sentinel, not a Redis',
    change: [
      expect.stringContaining("connectRedis({ sentinels: [{ host: '10.0.0.9', port: 26379 }]"),
      expect.stringContaining('redis://10.0.0.5:6379'),
    ],
  })
  expect(findings).toHaveLength(2)
})

describe('the ACL line', () => {
  const line = (version: readonly [number, number], more = {}) => aclLine({ prefix: 'sess:', version, ...more })

  test('leaves out what a version does not know', () => {
    expect(line([6, 0])).not.toMatch(/&/)
    // Unknown as well, but refused to a user without permission, which fills ACL LOG.
    expect(line([6, 0])).toContain('+client|setinfo')
    expect(line([6, 2])).toMatch(/ &idx:sess:@ended .*\+client\|setinfo/)
    expect(line([7, 0])).not.toContain('setinfo')
    expect(line([7, 2])).toContain('+client|setinfo')
    expect(() => line([5, 0])).toThrow(/from 6\.0 on/)
  })

  test('has what a Cluster, another database and an administrator need', () => {
    expect(line([7, 2])).not.toMatch(/cluster|select|scan|memory/)
    expect(line([7, 2], { isCluster: true, database: 1, isAdmin: true })).toMatch(
      /\+cluster\|slots \+cluster\|info \+cluster\|nodes \+client\|setname \+select \+scan \+memory\|usage$/,
    )
  })
})

describe('a URL', () => {
  test.each([
    ['redis://a:b@h:1/2', { address: 'h:1', isTls: false, isLocal: false, hasPassword: true, database: 2 }],
    ['rediss://h', { address: 'h:6379', isTls: true, hasPassword: false, database: 0 }],
    ['127.0.0.1:7000', { address: '127.0.0.1:7000', isLocal: true }],
    ['redis://[::1]', { address: '[::1]:6379', host: '::1', isLocal: true }],
    ['/run/r.sock?password=x&db=3', { address: '/run/r.sock', isLocal: true, hasPassword: true, database: 3 }],
    ['redis://h?password=x&db=4', { hasPassword: true, database: 4 }],
  ])('%s', (url, target) => {
    expect(parseTarget(url)).toMatchObject(target)
  })

  test.each(['', 'http://h', 'redis://', 'redis://h/abc', 'ftp://a:secret@h', 'redis://a:secret@:x'])(
    '%j is refused',
    (url) => {
      expect(() => parseTarget(url)).toThrow(/^That is no Redis URL\. It looks like this: redis:/)
    },
  )

  test('is shown without user and password', () => {
    expect(withoutLogin('redis://a:b@h:1/2')).toBe('redis://h:1')
    expect(withoutLogin('h?password=x&tls=true')).toBe('redis://h?tls=true')
    expect(withoutLogin('/run/r.sock?password=x')).toBe('/run/r.sock')
  })
})

test.each([
  [{ code: 'ETIMEDOUT' }, 'rediss://h', /does it not speak TLS/],
  [{ code: 'ECONNRESET' }, 'redis://h', /Does it take TLS only/],
  [{ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'rediss://h', /NODE_EXTRA_CA_CERTS/],
  [{ message: 'Unknown RESP type 72 "H"' }, 'redis://h', /no Redis/],
  [Object.assign(new Error('WRONGPASS bad'), { name: 'ReplyError' }), 'redis://onlyword@h', /redis:\/\/:password@host/],
  [Object.assign(new Error('DENIED Redis is running'), { name: 'ReplyError' }), 'redis://h', /protected mode/],
])('%j says why', (err, url, said) => {
  expect(unreachable(err, parseTarget(url)).message).toMatch(said)
  expect(unreachable(err, parseTarget(url)).message).not.toContain('onlyword')
})

test('colours are for people, and commands stay on one line', () => {
  const long = `CONFIG SET ${'x'.repeat(200)}`
  const findings: Finding[] = [{ check: 'c', level: 'problem', what: 'w '.repeat(100), change: [long] }]
  expect(asText(facts(), findings, false)).toContain(`\n         -> ${long}\n`)
  expect(asText(facts(), findings, false)).not.toContain('\x1b')
  expect(asText(facts(), findings, true)).toContain('\x1b[31mPROBLEM  \x1b[0m')
})

test.each([
  [{ master_sync_in_progress: '1' }, 'whose data it is about to copy'],
  [{ master_sync_in_progress: '0', master_link_down_since_seconds: '-1' }, 'whose data it is about to copy'],
  [{ master_sync_in_progress: '0', master_link_down_since_seconds: '40' }, 'which it has lost'],
])('a replica whose link is down, %j: %s', (more, said) => {
  const info = { role: 'slave', master_host: '10.0.0.1', master_port: '6379', master_link_status: 'down', ...more }
  expect(brief(checkReplication(facts({ info })))).toEqual([`problem: this is a replica of 10.0.0.1:6379, ${said}`])
})

test('a replica that still copies everything cannot become the master, and is waited for', () => {
  const info = { role: 'master', slave0: 'ip=10.0.0.2,port=6379,state=send_bulk,offset=0,lag=0' }
  expect(checkReplication(facts({ info }))).toMatchObject([
    {
      level: 'warning',
      what: 'the replica 10.0.0.2:6379 still copies everything',
      change: ['Wait until its state is online'],
    },
  ])
})

test('many keys are estimated from those that were looked at', () => {
  const data = { looked: 1000, total: 50_000, sessions: 900, strings: 30, withoutTtl: 0, meanBytes: 500, others: [] }
  const info = { maxmemory: '100000000', used_memory: '40000000' }
  expect(brief(checkData(facts({ data, info })))).toEqual([
    'ok: about 45000 sessions under sess: of 500 bytes in the mean; room for about 120000 more sessions',
    'note: about 1500 of them are strings of connect-redis',
  ])
})
