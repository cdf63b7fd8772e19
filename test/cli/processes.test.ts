import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RedisStore } from '../../src/index.js'
import { childScript } from '../support/child-script.js'
import type { Ended } from '../support/command-line.js'
import { guardedLineTo } from '../support/guarded-line.js'
import { isToldOfChanges } from '../support/near-cache.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'

const COUNT = 1200
const MAIN = join(process.cwd(), childScript('src', 'cli', 'main.ts'))
const hasTerminal = spawnSync('script', ['--version']).status === 0

let redis: PrivateRedis
let store: RedisStore<{ userId: string }>
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  redis = await privateRedis()
  store = new RedisStore({ client: redis.admin, indexes: { user: (s) => s.userId }, timeout: 30_000 })
  const { NO_COLOR: _, FORCE_COLOR: __, ...others } = process.env
  env = { ...others, REDIS_URL: redis.socketPath, TERM: 'xterm-256color' }
})
afterAll(() => redis.stop())
beforeEach(async () => {
  await redis.admin.flushall()
  await Promise.all(Array.from({ length: COUNT }, (_, i) => store.set(`id-${i}`, { userId: `u-${i % 3}` })))
})

/** Runs a script with the command as a function. */
function shell(
  script: string,
  more: NodeJS.ProcessEnv = {},
): { ended: Promise<Ended>; pid: number; send(text: string): void; heard: Ended } {
  const prelude = `connect-redis-hash() { '${process.execPath}' '${MAIN}' "$@"; }`
  const child = spawn('bash', ['-c', `${prelude}\n${script}`], { env: { ...env, ...more } })
  const heard: Ended = { code: -1, out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    heard.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    heard.err += chunk
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ ...heard, code: code ?? -1 }))
  })
  return { ended, pid: child.pid as number, send: (text) => void child.stdin.write(text), heard }
}

/** The same in a terminal; what is printed to stderr comes with the output. */
function terminal(args: string, more: NodeJS.ProcessEnv = {}) {
  const command = `stty cols 120; '${process.execPath}' '${MAIN}' ${args}`
  return shell(`script -qec "${command.replaceAll('"', '\\"')}" /dev/null`, more)
}

test('--version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(await shell('connect-redis-hash --version').ended).toEqual({ code: 0, out: `${version}\n`, err: '' })
})

test('a pipe gets bare lines with tabs, and nothing else', async () => {
  const { code, out, err } = await shell('connect-redis-hash sessions --user u-1 | cut -f1,5').ended
  expect([code, err]).toEqual([0, ''])
  const lines = out.trimEnd().split('\n')
  expect(lines).toHaveLength(100)
  expect(lines.every((line) => /^[\w-]{22}\tuser=u-1$/.test(line))).toBe(true)
})

test.each(['sessions --all --json', 'sessions --limit 5000', 'stats'])('%s can be cut off by head', async (args) => {
  const cut = `(connect-redis-hash ${args}; echo "exit $?" >&2)`
  const { out, err } = await shell(`${cut} | head -1`).ended
  expect([out.split('\n').length, err]).toEqual([2, 'exit 0\n'])
  expect((await shell(`${cut} | true`).ended).err).toBe('exit 0\n')
})

test('Ctrl-C stops a walk with exit code 3, and --resume goes on with it', async () => {
  const run = (args: string) => `exec '${process.execPath}' '${MAIN}' sessions --all --json ${args}`
  let pages = 0
  // The signal is there before the second of some five pages is.
  const line = await guardedLineTo(redis.socketPath, {
    admit: ([name = '']) => {
      if (name.toLowerCase() === 'scan' && ++pages === 2) process.kill(stopped.pid, 'SIGINT')
      return undefined
    },
  })
  const stopped = shell(run(''), { REDIS_URL: line.path })
  const first = await stopped.ended
  await line.close()
  expect(first.code).toBe(3)
  const [resume = ''] = /--resume=[\w-]+/.exec(first.err) ?? []
  const rest = await shell(run(resume)).ended
  expect([rest.code, rest.err]).toEqual([0, ''])
  const handles = `${first.out}${rest.out}`.match(/(?<="handle":")[\w-]{22}/g) ?? []
  expect([handles.length, new Set(handles).size]).toEqual([COUNT, COUNT])
})

test('SIGTERM ends watch cleanly', async () => {
  const running = shell(`exec '${process.execPath}' '${MAIN}' watch --json`)
  await until('it listens', async () => isToldOfChanges(String(await redis.admin.client('LIST'))))
  await store.destroy('id-1')
  await until('it tells', () => running.heard.out.includes('"ended"'))
  process.kill(running.pid, 'SIGTERM')
  expect(await running.ended).toMatchObject({ code: 0, err: '' })
})

const inTerminal = hasTerminal ? test : test.skip

inTerminal('a terminal gets a table in colours, unless NO_COLOR is set', async () => {
  const { code, out } = await terminal('sessions --limit 2').ended
  expect(code).toBe(0)
  expect(out).toContain('\x1b[1mHANDLE ')
  expect(out).toMatch(/HANDLE +LAST SEEN +BEGAN +ENDS +INDEXES/)
  expect(out).toMatch(/^[\w-]{22} {2}\d+ (s|min) ago +\d+ (s|min) ago +in (23 h|1 d) +user=u-\d/m)
  expect(out).toMatch(/2 sessions of 1,200\. The next ones: --after=[\w-]{22}/)
  const plain = await terminal('sessions --limit 2', { NO_COLOR: '1' }).ended
  expect(plain.out).toMatch(/HANDLE +LAST SEEN/)
  expect(plain.out).not.toContain('\x1b[1m')
})

inTerminal('end asks on a terminal, and does what is answered', async () => {
  const refused = terminal('end --user u-1')
  await until('it asks', () => refused.heard.out.includes('End 400 sessions (user=u-1) under sess: at'))
  refused.send('n\n')
  expect(await refused.ended).toMatchObject({ code: 1, out: expect.stringContaining('0 sessions ended.') })
  const broken = terminal('end --user u-1')
  await until('it asks', () => broken.heard.out.includes('[y/N]'))
  broken.send('\x03')
  expect((await broken.ended).code).toBe(1)
  expect(await store.countBy('user', 'u-1')).toBe(400)
  const agreed = terminal('end --user u-1')
  await until('it asks', () => agreed.heard.out.includes('[y/N]'))
  agreed.send('y\n')
  expect(await agreed.ended).toMatchObject({ code: 0, out: expect.stringContaining('400 sessions ended.') })
})

describe('completion', () => {
  test('bash completes commands, options and choices', async () => {
    const complete = (...words: string[]) => `
COMP_WORDS=(connect-redis-hash ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}
_connect_redis_hash; echo "\${COMPREPLY[*]}"`
    const asked = [
      complete('s'),
      complete('end', '--h'),
      complete('activity', '--step', ''),
      complete('completion', 'f'),
    ]
    const { out, err } = await shell(`source <(connect-redis-hash completion bash)\n${asked.join('\n')}`).ended
    expect([out.split('\n'), err]).toEqual([
      ['sessions show stats', '--handle --help', 'minute hour day', 'fish', ''],
      '',
    ])
  })

  test.each([
    ['zsh', 'zsh -n', /^#compdef connect-redis-hash\n/],
    ['fish', 'fish --no-execute', /^complete -c connect-redis-hash .*-l dry-run/m],
  ])('%s can read its script', async (name, check, form) => {
    const { code, out } = await shell(`connect-redis-hash completion ${name}`).ended
    expect([code, form.test(out)]).toEqual([0, true])
    if (spawnSync(name, ['--version']).status !== 0) return
    expect(
      await shell(`connect-redis-hash completion ${name} > "$F" && ${check} "$F"`, { F: join(redis.dir, name) }).ended,
    ).toEqual({ code: 0, out: '', err: '' })
  })

  test('asks for a shell', async () => {
    expect(await shell('connect-redis-hash completion tcsh').ended).toMatchObject({
      code: 2,
      err: 'Give one shell: connect-redis-hash completion bash|zsh|fish\n',
    })
  })
})
