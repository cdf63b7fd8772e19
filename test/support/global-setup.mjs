import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tsImport } from 'tsx/esm/api'
import { nameOfServer } from '../../scripts/redis-binary.mjs'

/** Folders whose tests only call pure functions. */
const NEEDS_NO_REDIS = /^test\/(?:hash|ids)(?:\/|$)/

/**
 * Starts a real Redis for each worker process, which keeps nothing. With TEST_ON=sentinel there is only one, with a
 * replica and three Sentinels, and clients ask those; with TEST_ON=cluster most tests use a Cluster of three masters
 * and three replicas. With TEST_ON=acl stores are a user who may do no more than is documented.
 *
 * @param {{ maxWorkers: number, testPathPatterns: { patterns: string[] } }} config
 */
export default async function globalSetup({ maxWorkers, testPathPatterns: { patterns } }) {
  if (patterns.length > 0 && patterns.every((pattern) => NEEDS_NO_REDIS.test(pattern))) return
  // Jest's module map, which lets TypeScript import './x.js', does not reach a global set-up.
  const { startRedis } = await tsImport('../../scripts/embedded-redis.ts', import.meta.url)
  process.env.TEST_SERVER = await nameOfServer(process.env.REDIS_SERVER_BIN ?? 'redis-server')
  const dir = mkdtempSync(join(tmpdir(), 'crh-'))
  const rigs = []
  if (process.env.TEST_ON === 'sentinel') {
    const { startSentinelRig } = await tsImport('./sentinel-rig.ts', import.meta.url)
    process.env.TEST_REDIS_SOCKET = join(dir, 'redis.sock')
    const masterArgs = ['--unixsocket', process.env.TEST_REDIS_SOCKET, '--unixsocketperm', '700']
    // A busy machine is no reason for a failover.
    rigs.push(await startSentinelRig({ downAfterMs: 30_000, masterArgs }))
    process.env.TEST_TOPOLOGY = JSON.stringify(rigs[0].options)
  } else {
    const starting = Array.from({ length: maxWorkers }, (_, i) =>
      startRedis({ dir: join(dir, String(i)), persistent: false }),
    )
    rigs.push(...(await Promise.all(starting)))
    process.env.TEST_REDIS_SOCKETS = JSON.stringify(rigs.map(({ socketPath }) => socketPath))
    if (process.env.TEST_ON === 'acl') await Promise.all(rigs.map(makeUser))
  }
  if (process.env.TEST_ON === 'cluster') {
    const { startClusterRig } = await tsImport('./cluster-rig.ts', import.meta.url)
    const cluster = await startClusterRig({ nodeTimeoutMs: 30_000 })
    rigs.push(cluster)
    process.env.TEST_TOPOLOGY = JSON.stringify({ nodes: cluster.addresses })
  }
  globalThis.testRedis = { dir, rigs }
}

/** Makes a user who may use any prefix of the tests, also that of a client, and any command that a store needs. */
async function makeUser(redis) {
  const { aclRules } = await tsImport('../../src/redis/permissions/acl.ts', import.meta.url)
  const { Redis } = await import('ioredis')
  const admin = new Redis(redis.options)
  const version = /redis_version:(\d+)\.(\d+)/
    .exec(await admin.info('server'))
    .slice(1)
    .map(Number)
  const commands = aclRules({ prefix: '', version, isAdmin: true }).filter((rule) => /^[+-]/.test(rule))
  const keys = ['~t*', '~idx:t*', '~*sess:*']
  const { isRedisSince } = await tsImport('./server.ts', import.meta.url)
  const channels = isRedisSince(6, 2) ? ['&idx:*', '&t*', '&__redis__:invalidate'] : []
  await admin.call('ACL', 'SETUSER', 'sessions', 'reset', 'on', '>sessions', ...keys, ...channels, ...commands)
  await admin.quit()
}
