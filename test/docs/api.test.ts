import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import * as exported from 'connect-redis-hash'
import { Redis } from 'ioredis'
import { DEFAULTS } from '../../src/options.js'

const page = readFileSync('docs/api.md', 'utf8')

/** The table below a heading: name -> meaning. */
function tableOf(heading: string): Map<string, string> {
  const [, section = ''] = page.split(`### ${heading}\n`)
  const [own = ''] = section.split(/^##/m)
  return new Map([...own.matchAll(/^\| `(\S+?)` \| (.+) \|$/gm)].map(([, name = '', text = '']) => [name, text]))
}

test('docs/api.md is what `npm run api` writes now: no export, option, method, event or code is missing', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['scripts/api.mjs', '--print'], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(page).toBe(stdout)
})

test('everything that a program can import has a heading', () => {
  for (const name of Object.keys(exported)) expect(page).toMatch(new RegExp(`^##+ ${name}$`, 'm'))
})

test('every default of the store is the one that the page gives', () => {
  const options = tableOf('RedisStoreOptions')
  const shown = (value: unknown) =>
    value === JSON ? 'JSON' : typeof value === 'string' ? `\`'${value}'\`` : String(value)
  for (const [name, value] of Object.entries(DEFAULTS))
    expect([name, options.get(name)]).toEqual([name, expect.stringContaining(`Default ${shown(value)}`)])
})

test('every event of a store is on the page', () => {
  const store = new exported.RedisStore({ client: new Redis({ lazyConnect: true }) })
  const events = tableOf('SessionEvents')
  for (const name of Object.keys(store.counters))
    expect([name, events.has(name) || events.has(`'${name}'`)]).toEqual([name, true])
})

test('no option and no method is left without a word', () => {
  for (const heading of ['RedisStore', 'RedisStoreOptions', 'SecureSessionOptions', 'SessionEvents']) {
    const silent = [...tableOf(heading)].filter(([, text]) => text.trim() === '')
    expect([heading, silent]).toEqual([heading, []])
  }
})
