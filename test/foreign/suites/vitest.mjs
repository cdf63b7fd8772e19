// The file of tests in docs/testing.md, changed for Vitest as the page says.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { versionOf } from '../support/host.mjs'

const page = readFileSync(new URL('../testing.md', import.meta.url), 'utf8')
const [, code] = page.split('<!-- file: shop.test.mjs -->\n```js\n')
const imports = "import { afterAll as after, assert, beforeAll as before, test } from 'vitest'\n"
const directory = new URL('../vitest/', import.meta.url)
mkdirSync(directory, { recursive: true })
writeFileSync(new URL('shop.test.mjs', directory), code.split('\n```')[0].replace(/^.*\n.*\n/, imports))

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', '--root', fileURLToPath(directory)], {
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1' },
})
assert.equal(status, 0, stdout + stderr)
assert.match(stdout, /Tests +2 passed/)
console.log(versionOf('vitest', import.meta.url))
