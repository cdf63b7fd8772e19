import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { RedisStore } from 'connect-redis-hash'
import { fieldsOf } from '../../src/cli/doctor/facts.js'
import type { Finding, Level } from '../../src/cli/doctor/finding.js'
import * as doctor from '../../src/cli/doctor.js'
import { slotsBetween } from '../support/cluster-rig.js'
import { runHere } from '../support/command-line.js'
import { type DelayProxy, delayProxy } from '../support/delay-proxy.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { freePort } from '../support/redis-node.js'
import { startSentinelRig } from '../support/sentinel-rig.js'
import { ANY_CHANNEL, COMPACT, isRedisSince, testSince } from '../support/server.js'
import { unhurried } from '../support/unhurried.js'

const opened: { stop(): Promise<void> }[] = []
let proxy: DelayProxy | undefined

async function server(...args: string[]): Promise<PrivateRedis> {
  const redis = await privateRedis(args)
  opened.push(redis)
  return redis
}

afterEach(async () => {
  await proxy?.close()
  proxy = undefined
  for (const one of opened.splice(0)) await one.stop()
})

interface Report {
  code: number
  findings: Finding[]
  text: string
  user: string | null
  problems: number
}

async function examined(url: string, ...args: string[]): Promise<Report> {
  const { code, out, err } = await runHere(doctor, [url, '--json', ...args])
  if (code === 2) throw new Error(err)
  return { ...JSON.parse(out), text: out, code }
}

const found = ({ findings }: Report, check: string, level: Level) =>
  findings.filter((finding) => finding.check === check && finding.level === level)

/** Expects one finding with these words in it. */
const saying = (what: RegExp, change?: RegExp) =>
  expect.objectContaining({
    what: expect.stringMatching(what),
    ...(change && { change: expect.arrayContaining([expect.stringMatching(change)]) }),
  })

/** Makes a user. @returns the URL with which they log in */
async function userOf(redis: PrivateRedis, ...rules: string[]): Promise<string> {
  await redis.admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>4711', ...rules)
  return `${redis.socketPath}?username=app&password=4711`
}

/** The rules that `doctor --acl` prints. */
async function printedRules(redis: PrivateRedis, ...args: string[]): Promise<string[]> {
  const { out } = await runHere(doctor, ['--acl', redis.socketPath, ...args])
  const [, rules = ''] = /^ACL SETUSER sessions\S* reset on "#<.*>" (.+)\n$/.exec(out) ?? []
  return rules.split(' ')
}

describe('a Redis that is set up well', () => {
  test('has nothing to change, for a user that --acl printed', async () => {
    const redis = await server('--appendonly', 'yes', '--maxmemory', '64mb')
    const url = await userOf(redis, ...(await printedRules(redis)))
    await redis.admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>other')
    const isSlow = (one: Report) => found(one, 'latency', 'warning').length > 0
    const report = await unhurried(redis, () => examined(url, '--strict'), isSlow)
    expect(found(report, 'permissions', 'ok')).toEqual([saying(/^the user may run every command/)])
    expect(found(report, 'access', 'ok')).toHaveLength(1)
    expect(report.findings.filter(({ level }) => level === 'problem' || level === 'warning')).toEqual([])
    // The user may not see settings: the report says so, and it is no error.
    expect(found(report, 'encoding', 'unknown')).toEqual([saying(/may not run CONFIG GET/)])
    expect(report).toMatchObject({ code: 0, problems: 0, user: null })
  })

  // Redis before 7.0 cannot be asked for permissions: "each command is tried" below is for that.
  testSince(7, 0)('is left as it was: nothing written, nothing refused that would fill the log', async () => {
    const redis = await server()
    const url = await userOf(redis, ...(await printedRules(redis)))
    await redis.takeCalls()
    await examined(url)
    await examined(redis.socketPath)
    const calls = Object.keys(await redis.takeCalls())
    const looks =
      /^(hello|auth|info|ping|time|eval|scan|type|pttl|memory\|usage|hget|getrange|acl\|whoami|slowlog\|get|latency\|latest|config\|get|select)$/
    expect(calls.filter((name) => !looks.test(name))).toEqual([])
    expect(await redis.admin.info('persistence')).toContain('rdb_changes_since_last_save:0')
    const log = (await redis.admin.call('ACL', 'LOG')) as string[][]
    expect(log.map((entry) => entry[entry.indexOf('object') + 1])).toEqual([])
  })
})

describe('eviction and memory', () => {
  test.each([
    ['allkeys-lru', 'problem'],
    ['volatile-random', 'problem'],
    ['volatile-lru', 'warning'],
    ['volatile-ttl', 'ok'],
  ] as const)('%s with a limit is a %s', async (policy, level) => {
    const report = await examined((await server('--maxmemory', '64mb', '--maxmemory-policy', policy)).socketPath)
    const change = level === 'ok' ? undefined : /^CONFIG SET maxmemory-policy noeviction$/
    expect(found(report, 'eviction', level)).toEqual([saying(new RegExp(policy), change)])
    expect(report.code).toBe(level === 'problem' ? 1 : 0)
  })

  test('allkeys-lru without a limit is a warning, which --strict counts', async () => {
    const { socketPath } = await server('--maxmemory-policy', 'allkeys-lru')
    expect(found(await examined(socketPath), 'eviction', 'warning')).toHaveLength(1)
    expect((await examined(socketPath)).code).toBe(0)
    expect((await examined(socketPath, '--strict')).code).toBe(1)
  })

  test('memory that is full, and keys that had to go', async () => {
    const redis = await server('--maxmemory', '2mb', '--maxmemory-policy', 'allkeys-random')
    for (let i = 0; i < 40; i++) await redis.admin.set(`k${i}`, 'x'.repeat(100_000))
    const report = await examined(redis.socketPath)
    expect(found(report, 'eviction', 'warning')).toEqual([saying(/^\d+ keys have been evicted/)])
    // In this order: with the policy from before, keys would go again.
    await redis.admin.config('SET', 'maxmemory-policy', 'noeviction')
    await redis.admin.config('SET', 'maxmemory', '1mb')
    const full = await examined(redis.socketPath)
    expect(found(full, 'memory', 'problem')).toEqual([saying(/of 1\.0 MB \(maxmemory\) used/, /CONFIG SET maxmemory/)])
    expect(full.code).toBe(1)
  })
})

describe('persistence', () => {
  test('none: a restart logs everybody out', async () => {
    const report = await examined((await server()).socketPath)
    expect(found(report, 'persistence', 'warning')).toEqual([
      saying(/nothing is written/, /^CONFIG SET appendonly yes$/),
    ])
  })

  test('snapshots only, or a file that is never forced to disk', async () => {
    const redis = await server()
    await redis.admin.config('SET', 'save', '3600 1')
    expect(found(await examined(redis.socketPath), 'persistence', 'warning')).toEqual([
      saying(/^snapshots only \(save 3600 1\)/, /appendonly yes/),
    ])
    await redis.admin.config('SET', 'appendonly', 'yes')
    await redis.admin.config('SET', 'appendfsync', 'no')
    expect(found(await examined(redis.socketPath), 'persistence', 'warning')).toEqual([
      saying(/appendfsync no/, /appendfsync everysec/),
    ])
  })

  test('a snapshot that has failed stops every write', async () => {
    const redis = await server()
    await redis.admin.config('SET', 'save', '3600 1')
    mkdirSync(join(redis.dir, 'dump.rdb'))
    await redis.admin.bgsave()
    while (!(await redis.admin.info('persistence')).includes('rdb_last_bgsave_status:err'))
      await new Promise(setImmediate)
    const report = await examined(redis.socketPath)
    expect(await redis.admin.set('k', 'x').catch(String)).toMatch(/MISCONF/)
    expect(found(report, 'persistence', 'problem')).toEqual([
      saying(/snapshot has failed/, /CONFIG SET stop-writes-on-bgsave-error no$/),
    ])
  })
})

test('hashes that do not fit the compact form', async () => {
  const [value, entries] = [`hash-max-${COMPACT}-value`, `hash-max-${COMPACT}-entries`]
  const { socketPath } = await server(`--${value}`, '32', `--${entries}`, '8')
  expect(found(await examined(socketPath), 'encoding', 'warning')).toEqual([
    saying(new RegExp(`^${value} is 32$`), new RegExp(`^CONFIG SET ${value} 64$`)),
    saying(new RegExp(`^${entries} is 8$`), new RegExp(`^CONFIG SET ${entries} 128$`)),
  ])
})

describe('permissions', () => {
  const most = ['~sess:*', '~idx:sess:*', ...ANY_CHANNEL, '+@all']
  const WITHOUT_CHANNEL = [
    'the channel',
    most.filter((rule) => rule !== '&*'),
    'warning',
    /PUBLISH, SUBSCRIBE$/,
    / &idx:sess:@ended \+pub/,
  ] as const

  test.each([
    ['a command', [...most, '-hset'], 'problem', /may not run HSET$/, /^ACL SETUSER app \+hset$/],
    ['a command of an option', [...most, '-zadd'], 'warning', /may not run ZADD$/, /\+zadd$/],
    [
      'the keys of sessions',
      ['~idx:sess:*', ...ANY_CHANNEL, '+@all'],
      'problem',
      /keys like sess:\*$/,
      /^ACL SETUSER app ~sess:\*$/,
    ],
    [
      'the keys of indexes',
      ['~sess:*', ...ANY_CHANNEL, '+@all'],
      'problem',
      /keys like idx:sess:\*$/,
      / ~idx:sess:\*$/,
    ],
    [
      'all keys',
      ['~other:*', ...ANY_CHANNEL, '+@all'],
      'problem',
      /keys like sess:\* and idx:sess:\*$/,
      / ~sess:\* ~idx:sess:\*$/,
    ],
    // Redis before 6.2 asks for no permission there.
    ...(isRedisSince(6, 2) ? [WITHOUT_CHANNEL] : []),
  ] as const)('%s that is missing is told with the line that grants it', async (_name, rules, level, what, change) => {
    const url = await userOf(await server(), ...rules)
    const report = await examined(url)
    expect(found(report, 'permissions', level)).toEqual([saying(what, change)])
    expect(report.code).toBe(level === 'problem' ? 1 : 0)
  })

  // Redis before 7.0 does not tell what another user may do.
  testSince(7, 0)('another user is examined by an administrator, who sees the settings as well', async () => {
    const redis = await server()
    await userOf(redis, ...most, '-hset', '-eval', '-@pubsub')
    const report = await examined(redis.socketPath, '--user', 'app')
    expect(found(report, 'permissions', 'problem')).toEqual([
      saying(/may not run HSET, EVAL$/, /^ACL SETUSER app \+hset/),
    ])
    expect(found(report, 'permissions', 'warning')).toEqual([saying(/PUBLISH, SUBSCRIBE$/)])
    expect(found(report, 'encoding', 'ok')).toHaveLength(1)
    expect(report).toMatchObject({ code: 1, user: 'app' })
    await userOf(redis, ...(await printedRules(redis)))
    const fine = await examined(redis.socketPath, '--user', 'app')
    expect(found(fine, 'permissions', 'ok')).toEqual([saying(/^app may run every command/)])
    expect(await redis.admin.dbsize()).toBe(0)
    await expect(examined(redis.socketPath, '--user', 'nobody')).rejects.toThrow(/no user nobody/)
  })

  test('SCAN is missed by an administrator only', async () => {
    const url = await userOf(await server(), ...most, '-scan')
    expect(found(await examined(url), 'permissions', 'note')).toEqual([saying(/may not run SCAN$/)])
    expect(found(await examined(url, '--admin'), 'permissions', 'problem')).toEqual([
      saying(/may not run SCAN$/, /\+scan/),
    ])
  })

  test('another prefix is another matter', async () => {
    const url = await userOf(await server(), '~shop:*', '~idx:shop:*', ...ANY_CHANNEL, '+@all')
    expect((await examined(url, '--prefix', 'shop:')).code).toBe(0)
    expect((await examined(url)).code).toBe(1)
  })

  test('where scripts are forbidden, each command is tried in a form that changes nothing', async () => {
    const redis = await server()
    const url = await userOf(redis, ...most, '-eval', '-hincrby')
    const report = await examined(url, '--admin')
    expect(found(report, 'permissions', 'problem')).toEqual([saying(/^the user may not run EVAL$/, /\+eval$/)])
    expect(found(report, 'permissions', 'warning')).toEqual([saying(/^the user may not run HINCRBY$/)])
    expect(found(report, 'permissions', 'unknown')).toEqual([saying(/PFADD, PUBLISH, SUBSCRIBE$/)])
    expect(await redis.admin.info('persistence')).toContain('rdb_changes_since_last_save:0')
    expect(await redis.admin.dbsize()).toBe(0)
  })

  test.each([
    ['sessions', ['~idx:sess:*', ...ANY_CHANNEL, '+@all', '-eval'], /keys like sess:\*$/, /^ACL SETUSER app ~sess:\*$/],
    [
      'indexes',
      ['~sess:*', ...ANY_CHANNEL, '+@all', '-eval'],
      /keys like idx:sess:\*$/,
      /^ACL SETUSER app ~idx:sess:\*$/,
    ],
    ['both', ['~other:*', ...ANY_CHANNEL, '+@all', '-eval'], /sess:\* and idx:sess:\*$/, / ~sess:\* ~idx:sess:\*$/],
  ])(
    'where scripts are forbidden, a missing pattern for keys of %s is found, too',
    async (_name, rules, what, change) => {
      const url = await userOf(await server(), ...rules)
      const report = await examined(url)
      expect(found(report, 'permissions', 'problem')[0]).toEqual(saying(what, change))
      expect(report.code).toBe(1)
    },
  )

  test('commands that the server has lost', async () => {
    const { socketPath } = await server('--rename-command', 'HGETALL', '', '--rename-command', 'CONFIG', '')
    const report = await examined(socketPath)
    expect(found(report, 'permissions', 'problem')).toEqual([saying(/no HGETALL$/, /rename-command/)])
    expect(found(report, 'encoding', 'unknown')).toHaveLength(1)
  })

  test('a user who may look at nothing gets what could not be looked at, and no error', async () => {
    const rules = await printedRules(await server())
    const url = await userOf(await server(), ...rules, '-info', '-time')
    const report = await examined(url)
    expect(found(report, 'permissions', 'problem')).toEqual([saying(/TIME/)])
    for (const check of ['version', 'eviction', 'memory', 'persistence', 'replication', 'clock']) {
      expect(found(report, check, 'unknown')).toHaveLength(1)
    }
  })
})

describe('access', () => {
  test('a server without a password that takes connections from anywhere', async () => {
    const port = await freePort()
    const redis = await server('--port', String(port), '--protected-mode', 'no')
    const report = await examined(`redis://127.0.0.1:${port}`)
    expect(found(report, 'access', 'problem')).toEqual([saying(/from any machine/, /requirepass/)])
    await redis.admin.config('SET', 'protected-mode', 'yes')
    const shut = await examined(`127.0.0.1:${port}`)
    expect(found(shut, 'access', 'note')).toEqual([saying(/protected-mode yes/)])
  })

  // Redis before 7.0 cannot be asked whether a user may do anything.
  testSince(7, 0)('a password that is not asked for, and a user who may do anything', async () => {
    const redis = await server()
    const url = await userOf(redis, '~*', ...ANY_CHANNEL, '+@all')
    expect(found(await examined(url), 'access', 'note')).toEqual([saying(/without a password, from this machine only/)])
    await redis.admin.call('ACL', 'SETUSER', 'default', 'resetpass', '>other')
    expect(found(await examined(url), 'access', 'note')).toEqual([saying(/^the user app may do anything/)])
  })
})

describe('replication', () => {
  test('a replica, and a master that has too few of them', async () => {
    const port = await freePort()
    const master = await server('--port', String(port), '--min-replicas-to-write', '1')
    const alone = await examined(master.socketPath)
    const [level, finding] = isRedisSince(7, 0)
      ? ([
          'problem',
          saying(/^0 replicas keep up, and min-replicas-to-write is 1$/, /^Until then: CONFIG SET .* 0$/),
        ] as const)
      : (['warning', saying(/^min-replicas-to-write is 1, and Redis before 7.0/, /option replicas/)] as const)
    expect(found(alone, 'replication', level)).toEqual([finding])
    const replica = await server('--replicaof', '127.0.0.1', String(port))
    while (!(await master.admin.info('replication')).includes('min_slaves_good_slaves:1')) await master.admin.ping()
    await master.admin.config('SET', 'min-replicas-to-write', '0')
    expect(found(await examined(master.socketPath), 'replication', 'ok')).toEqual([saying(/1 replica in step/)])
    while (!(await replica.admin.info('replication')).includes('master_link_status:up')) await replica.admin.ping()
    const report = await examined(replica.socketPath)
    expect(found(report, 'replication', 'problem')).toEqual([
      saying(new RegExp(`replica of 127.0.0.1:${port}$`), new RegExp(`redis://127.0.0.1:${port}`)),
    ])
    expect(report.code).toBe(1)
  })
})

test('a Cluster that is not up, and one that is', async () => {
  const port = await freePort()
  const redis = await server('--port', String(port), '--cluster-enabled', 'yes')
  const down = await examined(redis.socketPath)
  expect(found(down, 'cluster', 'problem')).toEqual([
    saying(/^cluster_state is fail$/),
    saying(/^16384 of 16384 slots/, /cluster-require-full-coverage no/),
  ])
  await redis.admin.call('CLUSTER', 'ADDSLOTS', ...slotsBetween())
  while (!(await redis.admin.cluster('INFO')).includes('cluster_state:ok')) await redis.admin.ping()
  const up = await examined(redis.socketPath)
  expect(found(up, 'cluster', 'problem')).toEqual([])
  expect(found(up, 'cluster', 'warning')).toEqual([saying(/full-coverage is yes/, /full-coverage no/)])
  await redis.admin.config('SET', 'cluster-require-full-coverage', 'no')
  expect(found(await examined(redis.socketPath), 'cluster', 'ok')).toEqual([saying(/all slots served/)])
  expect(found(await examined(`${redis.socketPath}?db=2`), 'cluster', 'problem')).toEqual([saying(/database 2/)])
})

test('a Sentinel is no Redis: it tells where its masters are', async () => {
  const master = await freePort()
  const { socketPath, dir } = await server('--port', String(master))
  const port = await freePort()
  const conf = join(dir, 'sentinel.conf')
  writeFileSync(conf, `bind 127.0.0.1\nport ${port}\nsentinel monitor shop 127.0.0.1 ${master} 1\n`)
  const sentinel = spawn(process.env.REDIS_SERVER_BIN ?? 'redis-server', [conf, '--sentinel'], { stdio: 'ignore' })
  try {
    const url = `redis://127.0.0.1:${port}`
    while ((await runHere(doctor, [url])).code === 2) await examined(socketPath)
    const report = await examined(url)
    expect(found(report, 'server', 'problem')).toEqual([
      saying(/^this is a Sentinel/, new RegExp(`redis://127.0.0.1:${master}$`)),
    ])
    expect(report.code).toBe(1)
  } finally {
    sentinel.kill('SIGKILL')
    await once(sentinel, 'exit')
  }
})

describe('connections', () => {
  test('settings that cut connections, or never find out that they are cut', async () => {
    const { socketPath } = await server('--timeout', '10', '--tcp-keepalive', '0')
    expect(found(await examined(socketPath), 'connections', 'warning')).toEqual([
      saying(/idle for 10 s/, /^CONFIG SET timeout 0$/),
      saying(/tcp-keepalive is off/, /^CONFIG SET tcp-keepalive 300$/),
    ])
  })

  test('nearly as many clients as there may be', async () => {
    const redis = await server('--maxclients', '10')
    await Promise.all(Array.from({ length: 7 }, () => redis.connect().ping()))
    expect(found(await examined(redis.socketPath), 'connections', 'warning')).toEqual([
      saying(/^9 of at most 10 clients/, /CONFIG SET maxclients/),
    ])
  })
})

describe('speed', () => {
  test('a Redis that is far away', async () => {
    const redis = await server()
    proxy = await delayProxy(redis.socketPath)
    proxy.setDelay(15)
    const url = `redis://127.0.0.1:${proxy.port}`
    // This machine has added whatever is above that.
    const isSlow = ({ text }: Report) => /PING takes ([5-9]\d|\d{3,}) ms/.test(text)
    const report = await unhurried(redis, () => examined(url), isSlow)
    expect(found(report, 'latency', 'warning')).toEqual([saying(/^PING takes [34]\d ms/)])
  })

  // Redis before 7.0 counts commands inside the script as well.
  test('somebody who keeps it busy: named by the command, never by its arguments', async () => {
    const redis = await server('--latency-monitor-threshold', '50')
    await redis.admin.eval(BUSY_FOR(150), 1, 'sess:secret-sid')
    const report = await examined(redis.socketPath)
    expect(found(report, 'latency', 'warning')).toEqual([
      saying(/took over 100 ms in the last day, up to \d+ ms: EVAL(, TIME)?$/, /SLOWLOG GET/),
      ...(isRedisSince(7, 0) ? ['command'] : ['(fast-)?command', '(fast-)?command']).map((event) =>
        saying(new RegExp(`stood still for \\d+ ms \\(${event}\\)`)),
      ),
    ])
    expect(report.text).not.toContain('secret-sid')
  })

  test('a script that never ends', async () => {
    const redis = await server('--lua-time-limit', '20')
    // A connection that is not ready yet would stay so while Redis is busy.
    await redis.admin.ping()
    const busy = redis.connect().eval(BUSY_FOR(60_000), 0).catch(String)
    while (!(await redis.admin.ping().catch(String)).includes('BUSY')) await new Promise(setImmediate)
    const report = await examined(redis.socketPath)
    await redis.admin.script('KILL')
    await busy
    expect(found(report, 'state', 'problem')).toEqual([saying(/script has been running/, /^SCRIPT KILL$/)])
  })
})

const BUSY_FOR = (ms: number) => `local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
local start = now()
while now() - start < ${ms} do end`

describe('what the keys hold', () => {
  const cookie = { originalMaxAge: null, expires: null, path: '/' }

  // Redis before 7.0 does not tell whether the user may look at other keys.
  testSince(7, 0)(
    'sessions, strings of connect-redis, keys that never expire, other prefixes, and the room that is left',
    async () => {
      const redis = await server('--maxmemory', '64mb')
      const store = new RedisStore({ client: redis.admin })
      for (const sid of ['one', 'two', 'three']) await store.set(sid, { cookie, userId: 'ada' } as never)
      await redis.admin.set('sess:old', JSON.stringify({ cookie, userId: 'bob' }), 'EX', 600)
      await redis.admin.persist('sess:one')
      await new RedisStore({ client: redis.admin, prefix: 'shop:' }).set('four', { cookie } as never)
      await redis.admin.set('blog:five', JSON.stringify({ cookie }), 'EX', 600)
      await redis.admin.set('cache:page', '<html>')
      await redis.admin.hset('counter:page', 'hits', '1')
      const report = await examined(redis.socketPath)
      expect(found(report, 'data', 'ok')).toEqual([
        saying(/^4 sessions under sess: of \d+ bytes in the mean; room for about \d+ more sessions$/),
      ])
      expect(found(report, 'data', 'warning')).toEqual([saying(/^1 key under sess: never expires$/)])
      expect(found(report, 'data', 'note')).toEqual([
        saying(/^1 of them is a string of connect-redis$/, /thorough/),
        saying(/^keys under blog:, shop: look like sessions, too$/, /doctor --prefix blog:/),
      ])
      expect(found(await examined(redis.socketPath, '--prefix', 'none:'), 'data', 'note')).toEqual([
        saying(/^no session under none:$/),
        saying(/^keys under blog:, sess:, shop: look/),
      ])
      const [, room = ''] = /room for about (\d+)/.exec(report.text) ?? []
      const { maxmemory, used_memory } = fieldsOf(await redis.admin.info('memory'))
      const bytes = Number(await redis.admin.memory('USAGE', 'sess:two'))
      expect(Number(room)).toBeGreaterThan(((Number(maxmemory) - Number(used_memory)) / bytes) * 0.8)
      expect(Number(room)).toBeLessThan(((Number(maxmemory) - Number(used_memory)) / bytes) * 1.3)
    },
  )

  // Before Redis 7.0, each command has to be tried, and is logged.
  testSince(7, 0)('a user who may not run SCAN is told so, and nothing is refused', async () => {
    const redis = await server()
    const url = await userOf(redis, ...(await printedRules(redis)))
    const report = await examined(url)
    expect(found(report, 'data', 'unknown')).toEqual([saying(/may not run SCAN/)])
    const log = (await redis.admin.call('ACL', 'LOG')) as string[][]
    expect(log.map((entry) => entry[entry.indexOf('object') + 1])).not.toContain('scan')
  })
})

describe('a server that is hostile', () => {
  /** Answers each command so. @returns its URL, and how many bytes it could send */
  async function hostile(talk: (socket: Socket, sent: (bytes: number) => void, command: string) => void) {
    let bytes = 0
    const listening = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (data) =>
        talk(
          socket,
          (count) => {
            bytes += count
          },
          String(data),
        ),
      )
    }).listen(0, '127.0.0.1')
    await once(listening, 'listening')
    const { port } = listening.address() as AddressInfo
    return { url: `redis://127.0.0.1:${port}`, bytes: () => bytes, close: () => listening.close() }
  }

  test.each([
    ['one endless text', '$999999999\r\n'],
    ['one answer after the other', ''],
  ])('that sends %s: it is hung up on in time', async (_what, head) => {
    const chunk = '+PONG\r\n'.repeat(10_000)
    const { url, bytes, close } = await hostile((socket, sent) => {
      socket.write(head)
      const more = () => {
        while (socket.writable && socket.write(chunk)) sent(chunk.length)
      }
      socket.on('drain', () => {
        sent(chunk.length)
        more()
      })
      more()
    })
    const { code, err } = await runHere(doctor, [url])
    expect([code, err]).toEqual([2, expect.stringMatching(/what answers there is no Redis|it closes the connection/)])
    expect(bytes()).toBeLessThan(64 * 2 ** 20)
    close()
  })

  test('whose version turns a terminal red: it is printed as text', async () => {
    const info =
      '# Server\r\nredis_version:7.2.0\u001b[31m\u202e\u009b1m\r\nredis_mode:standalone\u001b]0;title\u0007\r\n'
    const { url, close } = await hostile((socket, _sent, command) => {
      const count = command.split('*').length - 1
      for (let i = 0; i < count; i++) {
        const isInfo = /\r\ninfo\r\n/i.test(command)
        socket.write(isInfo ? `$${Buffer.byteLength(info)}\r\n${info}\r\n` : '+PONG\r\n')
      }
    })
    for (const args of [[url], [url, '--json']]) {
      const { out } = await runHere(doctor, args)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not come out
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      expect(out).toContain('7.2.0')
    }
    close()
  })
})

describe('the forms of a URL', () => {
  test('of Sentinels: the master that they name is examined', async () => {
    const rig = await startSentinelRig()
    try {
      const list = rig.options.sentinels.map(({ host, port }) => `${host}:${port}`).join(',')
      const { port } = await rig.master()
      const report = await examined(`redis-sentinel://${list}/mymaster`)
      expect(report.text).toContain(`"address": "127.0.0.1:${port}"`)
      expect(found(report, 'replication', 'ok')).toHaveLength(1)
      const wrong = await runHere(doctor, [`redis-sentinel://${list}/other`])
      expect([wrong.code, wrong.err]).toEqual([2, expect.stringMatching(/no such master.*It knows mymaster/)])
    } finally {
      await rig.stop()
    }
  })

  test('of several nodes: the first that answers is examined', async () => {
    const port = await freePort()
    const redis = await server('--port', String(port), '--cluster-enabled', 'yes')
    const report = await examined(`redis://127.0.0.1:1,127.0.0.1:${port}`)
    expect(report.text).toContain(`"address": "127.0.0.1:${port}"`)
    expect(found(report, 'cluster', 'problem').length).toBeGreaterThan(0)
    expect(redis.pid).toBeGreaterThan(0)
  })
})
