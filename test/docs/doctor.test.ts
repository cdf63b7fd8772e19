import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as doctor from '../../src/cli/doctor.js'
import { runHere } from '../support/command-line.js'
import { example } from '../support/markdown.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { freePort } from '../support/redis-node.js'
import { COMPACT, isValkey, testSince } from '../support/server.js'
import { asShown, asTyped, steps, typed } from '../support/transcript.js'

const PAGE = 'docs/doctor.md'
const BAD = ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru', `--hash-max-${COMPACT}-value`, '32']
/** The snapshots that a Redis makes if nobody says otherwise. */
const AS_INSTALLED = ['--save', '3600 1 300 100 60 10000']
const TRANSCRIPTS = [
  [PAGE, 'transcript', 'doctor', BAD],
  [PAGE, 'transcript', 'acl', BAD],
  ['README.md', 'transcript', 'doctor', AS_INSTALLED],
] as const

let redis: PrivateRedis

afterEach(() => redis.stop())

// The page shows Redis 7: settings and permissions had other names before.
testSince(7, 0).each(TRANSCRIPTS)(
  '%s, %s: %s comes out as the page shows it',
  async (...[page, kind, name, settings]) => {
    const port = await freePort()
    redis = await privateRedis(['--port', String(port), ...settings])
    const main = join(process.cwd(), 'src', 'cli', 'main.ts')
    const prelude = `REDIS_URL=redis://localhost:${port}; npx() { shift; '${process.execPath}' --import tsx '${main}' "$@"; }`
    // The page names the default port of Redis; this machine may have another one.
    const shown = example(page, kind, name).replaceAll('localhost:6379', `localhost:${port}`)
    // So may its server.
    const all = steps(isValkey ? shown.replace(/^Redis (?=.* at localhost)/m, 'Valkey ') : shown)
    for (const step of all) step.expected = step.expected.filter(Boolean)
    expect(all.length).toBeGreaterThan(0)
    expect(asTyped(all, await typed(all, process.cwd(), prelude))).toEqual(asShown(all))
  },
)

test('every option and every check is on the page', async () => {
  redis = await privateRedis()
  const page = readFileSync(PAGE, 'utf8')
  const { out: help } = await runHere(doctor, ['--help'])
  const options = [...help.matchAll(/^--(?!help)[a-z]+/gm)].map(([option]) => option)
  expect(options.length).toBeGreaterThan(4)
  for (const option of options) expect(page).toMatch(new RegExp(`^\\| \`${option}`, 'm'))
  const { findings } = JSON.parse((await runHere(doctor, [redis.socketPath, '--json'])).out) as {
    findings: { check: string }[]
  }
  for (const { check } of findings) expect(page).toMatch(new RegExp(`^\\|[^|]*\`${check}\``, 'm'))
})
