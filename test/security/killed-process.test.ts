import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { RedisStore } from 'connect-redis-hash'
import { childScript } from '../support/child-script.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'

const CHILD = childScript('test', 'security', 'killed-process.child.ts')
/** More than the child ever sends. */
const MOST_WRITES = 1000

const client = connect()
const children = new Set<ChildProcess>()

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await client.quit()
})

/** Commands that do not change Redis: a process may be killed before or after them, all the same. */
const READS = new Set(['hgetall', 'hmget', 'get', 'exists', 'zscore'])

interface Life {
  prefix: string
  /** How many commands that may write Redis has carried out. */
  writes: number
  wasKilled: boolean
  known: string[]
  ended: string[]
  errors: string
}

/** A process that SIGKILL ends when it sends the next command after so many that may write. */
async function lifeOf(most: number): Promise<Life> {
  const prefix = freshPrefix()
  let writes = 0
  const line = await guardedLineTo(socketPath(), {
    admit(args) {
      if (!args.some((arg) => arg.includes(prefix))) return undefined
      if (writes === most) {
        child.kill('SIGKILL')
        return new Promise(() => {})
      }
      if (!READS.has(String(args[0]).toLowerCase())) writes += 1
      return undefined
    },
  })
  const child = spawn(process.execPath, [CHILD, line.path, prefix])
  children.add(child)
  let said = ''
  let errors = ''
  child.stdout.on('data', (text) => {
    said += text
  })
  child.stderr.on('data', (text) => {
    errors += text
  })
  const [, signal] = await once(child, 'close')
  children.delete(child)
  await line.close()
  const ids = (what: string) => [...said.matchAll(new RegExp(`^${what} (.+)$`, 'gm'))].map(([, sid]) => sid as string)
  return { prefix, writes, wasKilled: signal === 'SIGKILL', known: ids('knows'), ended: ids('ended'), errors }
}

/** @returns how many keys the process has left */
async function expectSound({ prefix, known, ended }: Life): Promise<number> {
  const plain = new RedisStore({ client, prefix })
  const hashed = new RedisStore({ client, prefix, hashIds: ['new', 'old'] })
  const readerOf = (sid: string) => (sid === 'moving' ? hashed : plain)
  const keys = await client.keys(`*${prefix}*`)
  for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0)
  for (const sid of ended) expect([sid, await readerOf(sid).get(sid)]).toEqual([sid, null])
  for (const sid of known) {
    const held = (await readerOf(sid).get(sid)) as Record<string, unknown> | null
    // Both are always written together.
    expect(held?.left).toEqual(held?.right)
  }
  const [planted] = known
  if (planted !== undefined) expect((await plain.read(planted, ['user'])) ?? {}).not.toHaveProperty('user')
  for (const { left, right } of (await plain.all()) as unknown as Record<string, unknown>[]) {
    expect(left).toEqual(right)
  }
  expect(plain.counters.corrupt + hashed.counters.corrupt).toBe(0)
  return keys.length
}

test('a process killed between any two of its commands: no key without TTL, nothing ended is readable, nothing half written', async () => {
  // It runs twice, as the first run teaches Redis the scripts.
  await lifeOf(MOST_WRITES)
  const whole = await lifeOf(MOST_WRITES)
  expect(whole).toMatchObject({ wasKilled: false, errors: '' })
  expect(whole.ended).toHaveLength(7)
  expect(await client.keys(`${whole.prefix}*`)).toEqual([])

  let found = 0
  const points = Array.from({ length: whole.writes }, (_, writes) => writes)
  const worker = async () => {
    for (let writes = points.shift(); writes !== undefined; writes = points.shift()) {
      const life = await lifeOf(writes)
      expect(life).toMatchObject({ wasKilled: true, writes, errors: '' })
      found += await expectSound(life)
    }
  }
  await Promise.all([worker(), worker(), worker()])
  // Sessions were under way when the processes died.
  expect(found).toBeGreaterThan(whole.writes / 2)
})
