import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { RedisStore } from 'connect-redis-hash'
import { childScript } from '../support/child-script.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { hasten, makeDue } from '../support/hasten.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix, socketPath } from '../support/redis.js'

const CHILD = childScript('test', 'on-end', 'killed.child.ts')
/** More than the child ever sends. */
const MOST = 1000

const client = connect()
const children = new Set<ChildProcess>()
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await client.quit()
})

interface Life {
  prefix: string
  /** Commands on this prefix that Redis has carried out. */
  commands: number
  lines: string[]
}

/** A process that SIGKILL ends when it sends the next command after so many. */
async function lifeOf(most: number): Promise<Life> {
  const prefix = freshPrefix()
  let commands = 0
  const line = await guardedLineTo(socketPath(), {
    admit(args) {
      // Chance decides when the store looks for sessions that are due.
      if (!args.some((arg) => arg.includes(prefix)) || args.at(-1) === '50') return undefined
      if (commands === most) {
        child.kill('SIGKILL')
        return new Promise(() => {})
      }
      commands += 1
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
  await once(child, 'close')
  children.delete(child)
  await line.close()
  expect(errors).toBe('')
  return { prefix, commands, lines: said.split('\n').filter(Boolean) }
}

const DAY_MS = 86_400_000
const pause = () => new Promise((resolve) => setTimeout(resolve, 50))

/** Whether a session that was ended still waits for onEnd. */
async function isAnyWaiting(prefix: string): Promise<boolean> {
  const keys = await client.keys(`${prefix}*`)
  return (await Promise.all(keys.map((key) => client.hexists(key, '@end')))).includes(1)
}

/** What onEnd of a process that goes on is told: within a minute, and a day later. */
async function survivorTold(prefix: string): Promise<{ soon: string[]; all: string[] }> {
  const told: string[] = []
  const survivor = new RedisStore({
    client,
    prefix,
    ttl: 86_400,
    onEnd: ({ session, info }, reason) => {
      expect(info.handle).toHaveLength(22)
      told.push(`told ${session.name} ${session.step} ${reason}`)
    },
  })
  await hasten(client, prefix)
  while (await isAnyWaiting(prefix)) await pause()
  const soon = [...told]
  for (const key of await client.keys(`${prefix}*`)) await passTime(client, key, DAY_MS)
  await makeDue(client, prefix, DAY_MS)
  while ((await client.keys(`*${prefix}*`)).some((key) => !key.includes(':user:'))) await pause()
  await survivor.close()
  return { soon, all: told }
}

test('a process killed between any two of its commands: every session that was there is told of, with what was last saved', async () => {
  // It runs twice, as the first run teaches Redis the scripts.
  await lifeOf(MOST)
  const whole = await lifeOf(MOST)
  expect(whole.lines.filter((line) => line.startsWith('told')).toSorted()).toEqual([
    'told a 2 destroyed',
    'told b 1 revoked',
    'told c 1 revoked',
  ])
  expect(await client.keys(`*${whole.prefix}*`)).toEqual([])

  const points = Array.from({ length: whole.commands }, (_, commands) => commands)
  const worker = async () => {
    for (let most = points.shift(); most !== undefined; most = points.shift()) {
      const { prefix, lines } = await lifeOf(most)
      for (const ended of lines.filter((line) => line.startsWith('ended '))) {
        const sid = ended.slice(6)
        expect([sid, await new RedisStore({ client, prefix }).get(sid)]).toEqual([sid, null])
      }
      const { soon, all } = await survivorTold(prefix)
      for (const ended of lines.filter((line) => line.startsWith('ended '))) {
        expect([...lines, ...soon]).toContainEqual(expect.stringContaining(`told ${ended.slice(6)}`))
      }
      const told = [...lines, ...all].filter((line) => line.startsWith('told'))
      const names = new Set(told.map((line) => line.split(' ')[1]))
      if (lines.includes('saved all')) expect([...names].toSorted()).toEqual(['a', 'b', 'c'])
      if (lines.includes('saved a')) expect(told.filter((line) => line.startsWith('told a 1'))).toEqual([])
    }
  }
  await Promise.all(Array.from({ length: 6 }, worker))
})
