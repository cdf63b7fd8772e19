import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** What `npm run docs` serves. That the site can be built, and has no dead link, is for `npm run check`. */

let site: ChildProcess
let url: string

beforeAll(async () => {
  const env = { ...process.env, NO_COLOR: '1' }
  // Any free port; the address is what the program prints.
  site = spawn(process.execPath, ['scripts/docs.mjs', '--port', '0'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: site.stdout! })) {
    const [, address] = line.match(/Local: +(http:\S+)/) ?? []
    if (address === undefined) continue
    url = address
    return
  }
  throw new Error('npm run docs has ended and printed no address')
})
afterAll(async () => {
  site.kill()
  await once(site, 'exit')
})

const get = async (path: string) => (await fetch(new URL(path, url))).text()

test('it prints an address, and serves the home page there, with nothing from another site', async () => {
  expect((await fetch(url)).status).toBe(200)
  const home = await get('index.md?import')
  expect(home).toContain('Sessions for Express that lose no change and stay logged out')
  expect(home).not.toMatch(/(?:src|srcset): "(?:https?:)?\/\//)
})

test('the first page is the README, its links lead to pages, its charts follow the theme, and it has no badges', async () => {
  const start = await get('start.md?import')
  expect(start).toContain('comparison.html')
  expect(start).toContain('only-dark')
  expect(start).not.toContain('<picture>')
  expect(readFileSync('README.md', 'utf8')).toContain('[![')
  expect(start).not.toContain('badge')
})

test('the search is an index that it serves itself', async () => {
  const index = await get('@localSearchIndexroot')
  for (const page of ['start', 'login', 'comparison', 'errors']) expect(index).toContain(`/${page}.html`)
})
