import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../../src/cli/command.js'
import * as activity from '../../src/cli/commands/activity.js'
import * as end from '../../src/cli/commands/end.js'
import * as migrate from '../../src/cli/commands/migrate.js'
import * as sessions from '../../src/cli/commands/sessions.js'
import * as show from '../../src/cli/commands/show.js'
import * as stats from '../../src/cli/commands/stats.js'
import * as watch from '../../src/cli/commands/watch.js'
import { RedisStore } from '../../src/index.js'
import { childScript } from '../support/child-script.js'
import { runHere } from '../support/command-line.js'
import { example } from '../support/markdown.js'
import { isToldOfChanges } from '../support/near-cache.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'
import { until } from '../support/until.js'

const PAGE = 'docs/cli.md'
const COMMANDS: Readonly<Record<string, Command>> = { sessions, show, end, stats, activity, migrate, watch }

let redis: PrivateRedis
let store: RedisStore<{ userId: string; cart?: object }>

beforeAll(async () => {
  redis = await privateRedis()
  store = new RedisStore({ client: redis.admin, ttl: 9000, indexes: { user: (s) => s.userId } })
})
afterAll(() => redis.stop())
beforeEach(async () => {
  await redis.admin.flushall()
  for (const [id, client] of [
    ['one', 'Chrome on Android'],
    ['two', 'Firefox on Linux'],
  ]) {
    const now = Date.now()
    await until('the clock has moved on', () => Date.now() > now)
    await store.set(`session-${id}`, { userId: '42', cart: { milk: 1 } })
    // What bindClient({ label: true }) does at a request.
    await redis.admin.hset(`sess:session-${id}`, '@client', client as string)
  }
})

test.each(['sessions', 'show', 'migrate'])('terminal, %s: comes out as the page shows it', async (name) => {
  const info = await store.info('session-two')
  const all = steps(example(PAGE, 'terminal', name))
  for (const step of all) step.expected = step.expected.filter(Boolean)
  const printed: string[][] = []
  for (const { command } of all) {
    const [, , subcommand = '', ...args] = command.replace('$HANDLE', info?.handle as string).split(' ')
    const env = { REDIS_URL: redis.socketPath }
    const { out } = await runHere(COMMANDS[subcommand] as Command, args, env, { isTerminal: true, columns: 200 })
    printed.push(out.split('\n').filter(Boolean))
  }
  expect(asTyped(all, printed)).toEqual(asShown(all))
})

test('transcript, scripts: comes out as the page shows it', async () => {
  const main = join(process.cwd(), childScript('src', 'cli', 'main.ts'))
  const prelude = `export REDIS_URL='${redis.socketPath}'\nnpx() { shift; '${process.execPath}' '${main}' "$@"; }`
  const all = steps(example(PAGE, 'transcript', 'scripts'))
  expect(asTyped(all, await typed(all, process.cwd(), prelude))).toEqual(asShown(all))
})

test('json, watch: is what it prints', async () => {
  const stop = new AbortController()
  const lines: string[] = []
  const others = { stop: stop.signal, out: (text: string) => void lines.push(text.trimEnd()) }
  const running = runHere(watch, ['--json', redis.socketPath], {}, others)
  await until('Redis reports changes', async () => isToldOfChanges(String(await redis.admin.client('LIST'))))
  const loud = new RedisStore<{ userId: string }>({
    client: redis.admin,
    indexes: { user: (s) => s.userId },
    broadcast: true,
  })
  await loud.set('session-three', { userId: '42' })
  await until('it is created', () => lines.length === 1)
  await loud.patch('session-three', { userId: '42', cart: 1 } as never)
  await until('it is saved', () => lines.length === 2)
  await loud.destroy('session-three')
  await until('it has ended', () => lines.length === 3)
  stop.abort()
  await Promise.all([running, loud.close()])
  const shown = [{ command: 'watch', expected: example(PAGE, 'json', 'watch').trimEnd().split('\n') }]
  expect(asTyped(shown, [lines])).toEqual(asShown(shown))
})

test('every command and every option is on the page, and in the help', async () => {
  const page = readFileSync(PAGE, 'utf8')
  for (const [name, command] of Object.entries(COMMANDS)) {
    expect(page).toMatch(new RegExp(`^\\| \`${name}[ \`]`, 'm'))
    const { code, out } = await runHere(command, ['--help'])
    expect(code).toBe(0)
    for (const option of Object.keys(command.OPTIONS).filter((one) => one !== 'help')) {
      expect(page).toMatch(new RegExp(`^\\|.*\`--${option}[ \`]`, 'm'))
      expect(out).toMatch(new RegExp(`^--${option} `, 'm'))
    }
  }
})
