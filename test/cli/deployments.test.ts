import * as end from '../../src/cli/commands/end.js'
import * as migrate from '../../src/cli/commands/migrate.js'
import * as sessions from '../../src/cli/commands/sessions.js'
import * as show from '../../src/cli/commands/show.js'
import * as stats from '../../src/cli/commands/stats.js'
import { connectRedis, RedisStore } from '../../src/index.js'
import { type ClusterRig, startClusterRig } from '../support/cluster-rig.js'
import { runHere } from '../support/command-line.js'
import { type SentinelRig, startSentinelRig } from '../support/sentinel-rig.js'
import { until } from '../support/until.js'

type Store = RedisStore<{ userId: string }>
interface Client {
  disconnect(): void
}

const COUNT = 30
const handlesIn = (out: string) => out.match(/(?<="handle":")[\w-]{22}/g) ?? []

async function write(store: Store): Promise<void> {
  await Promise.all(Array.from({ length: COUNT }, (_, i) => store.set(`id-${i}`, { userId: `u-${i % 3}` })))
}

/** Every command against this URL. It begins with COUNT sessions, and ends with none. */
async function expectAllCommands(url: string): Promise<void> {
  const call = (command: Parameters<typeof runHere>[0], ...args: string[]) => runHere(command, [...args, url])
  const all = await call(sessions, '--json')
  expect([all.code, all.err, new Set(handlesIn(all.out)).size]).toEqual([0, '', COUNT])
  expect(handlesIn((await call(sessions, '--json', '--user', 'u-1')).out)).toHaveLength(COUNT / 3)
  const [handle] = handlesIn(all.out) as [string]
  expect(await call(show, handle)).toMatchObject({ code: 0, out: expect.stringMatching(/^userId\t5$/m) })
  const counted = JSON.parse((await call(stats, '--json')).out)
  expect(counted).toMatchObject({ sessions: COUNT, indexes: { user: { sessions: COUNT, values: 3 } } })
  const migrated = { code: 0, out: `${COUNT} sessions migrated, 0 already in this form.\n` }
  expect(await call(migrate, '--to', 'connect-redis', '--yes')).toMatchObject(migrated)
  expect(await call(migrate, '--index', 'user=userId', '--yes')).toMatchObject(migrated)
  expect((await call(end, '--handle', handle, '--yes')).out).toBe('1 session ended.\n')
  expect((await call(end, '--user', 'u-1', '--yes')).code).toBe(0)
  // Their new keys are on other masters.
  const hashed = JSON.parse((await call(migrate, '--hash-ids', '--yes', '--json')).out)
  expect(hashed).toMatchObject({ found: hashed.migrated, unchanged: 0, failed: 0 })
  expect(hashed.migrated).toBeGreaterThan(COUNT / 2)
  expect((await call(end, '--all', '--yes')).code).toBe(0)
  expect(await call(sessions)).toMatchObject({ code: 1, out: '' })
}

describe('on a Cluster', () => {
  let rig: ClusterRig
  let store: Store
  let client: Client
  beforeAll(async () => {
    rig = await startClusterRig()
    const cluster = connectRedis(rig.addresses)
    cluster.on('error', () => {})
    client = cluster
    store = new RedisStore({ client: cluster, indexes: { user: (s) => s.userId }, timeout: 30_000 })
  })
  afterAll(async () => {
    await store?.close()
    client?.disconnect()
    await rig?.stop()
  })
  beforeEach(() => write(store))

  test('the URL of one node will do', () => expectAllCommands(`redis://127.0.0.1:${rig.nodes[0]?.port}`))

  test('a walk goes on where it was stopped, at any master', async () => {
    const url = `redis://127.0.0.1:${rig.nodes[0]?.port}`
    const handles: string[] = []
    const codes: number[] = []
    let place: string[] = []
    do {
      const stop = new AbortController()
      const out = (text: string) => {
        handles.push(...handlesIn(text))
        stop.abort()
      }
      const { code, err } = await runHere(sessions, ['--all', '--json', ...place, url], {}, { stop: stop.signal, out })
      codes.push(code)
      place = /--resume=[\w-]+/.exec(err) ?? []
    } while (place.length > 0)
    expect(codes).toEqual([3, 3, 0])
    expect([handles.length, new Set(handles).size]).toEqual([COUNT, COUNT])
  })

  test('a client may have a keyPrefix', async () => {
    const cluster = connectRedis(rig.addresses, { keyPrefix: 'app:' })
    cluster.on('error', () => {})
    await write(new RedisStore({ client: cluster, indexes: { user: (s) => s.userId }, timeout: 30_000 }))
    await store.clear()
    const url = `redis://127.0.0.1:${rig.nodes[0]?.port}`
    const { out } = await runHere(stats, ['--json', '--key-prefix', 'app:', url])
    expect(JSON.parse(out)).toMatchObject({ sessions: COUNT, indexes: { user: { sessions: COUNT, values: 3 } } })
    const ended = await runHere(end, ['--all', '--yes', '--key-prefix', 'app:', url])
    expect(ended.out).toBe(`${COUNT} sessions ended.\n`)
    cluster.disconnect()
  })

  test('a list of nodes may begin with one that is away', () =>
    expectAllCommands(`redis://127.0.0.1:1,127.0.0.1:${rig.nodes[1]?.port},127.0.0.1:${rig.nodes[4]?.port}`))
})

describe('with Sentinels', () => {
  let rig: SentinelRig
  let store: Store
  let client: Client
  beforeAll(async () => {
    rig = await startSentinelRig()
    const redis = connectRedis(rig.options)
    redis.on('error', () => {})
    client = redis
    store = new RedisStore({ client: redis, indexes: { user: (s) => s.userId }, timeout: 30_000 })
  })
  afterAll(async () => {
    await store?.close()
    client?.disconnect()
    await rig?.stop()
  })
  const hosts = () => rig.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')

  test.each([
    ['the URL of one Sentinel will do', () => `redis://127.0.0.1:${rig.sentinels[0]?.port}`],
    ['a list may begin with one that is away', () => `redis-sentinel://127.0.0.1:1,${hosts()}/${rig.options.name}`],
  ])('%s', async (_name, url) => {
    await write(store)
    await expectAllCommands(url())
  })

  test('names the masters that the Sentinels know, if it is another', async () => {
    const { code, err } = await runHere(sessions, [`redis-sentinel://u:p4ss@${hosts()}/other`])
    expect([code, err]).toEqual([
      2,
      'The Sentinel knows no such master: redis-sentinel://host:26379/name-of-master. It knows mymaster.\n',
    ])
  })

  test('says so if it is no Sentinel, or what it names is no Cluster', async () => {
    const { port } = await rig.master()
    const none = await runHere(sessions, [`redis-sentinel://127.0.0.1:${port}/mymaster`])
    expect([none.code, none.err]).toEqual([2, `127.0.0.1:${port} is no Sentinel.\n`])
    const several = await runHere(sessions, [`redis://127.0.0.1:${port},127.0.0.1:${port}`])
    expect(several).toMatchObject({ code: 2, err: expect.stringMatching(/several servers, but they are no Cluster/) })
  })

  test('names what a user lacks at the master', async () => {
    const { port } = await rig.master()
    const admin = connectRedis(`redis://127.0.0.1:${port}`)
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>p4ss', '~*', '+@all', '-scan')
    const url = `redis-sentinel://app:p4ss@${hosts()}/mymaster`
    const { code, err } = await runHere(sessions, [url])
    await admin.quit()
    expect(code).toBe(2)
    expect(err).toMatch(/For this command it lacks: \+scan\./)
    expect(err).not.toContain('p4ss')
    await until('the rig is as before', () => rig.healed().then(() => true))
  })
})
