import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { childScript } from '../support/child-script.js'
import { example } from '../support/markdown.js'

const dir = mkdtempSync(join(tmpdir(), 'crh-testing-'))

beforeAll(() => {
  symlinkSync(resolve('node_modules'), join(dir, 'node_modules'))
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Runs the page's file of tests in a directory of its own. @returns the exit code and the output */
function run(args: string[], from: [string | RegExp, string][] = []) {
  const sources: [string, string][] = [
    ["'connect-redis-hash'", JSON.stringify(resolve(childScript('src', 'index.ts')))],
    ["'connect-redis-hash/testing'", JSON.stringify(resolve(childScript('src', 'testing.ts')))],
  ]
  let code = example('docs/testing.md', 'file', 'shop.test.mjs')
  for (const [what, by] of [...sources, ...from]) code = code.replace(what, by)
  writeFileSync(join(dir, 'shop.test.mjs'), code)
  // Each runner says in the environment that it is there, and what runs inside of another one behaves differently.
  const { NODE_TEST_CONTEXT, JEST_WORKER_ID, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: dir, encoding: 'utf8', env })
  return { status, output: stdout + stderr }
}

test('the file of the page passes with node --test', () => {
  const { status, output } = run(['--test', '--test-reporter=tap', 'shop.test.mjs'])
  expect(output).toMatch(/^# pass 2$/m)
  expect(status).toBe(0)
})

test('the file of the page passes with Jest, changed as the page says', () => {
  const jest = ['--experimental-vm-modules', resolve('node_modules', 'jest', 'bin', 'jest.js')]
  const options = ['--rootDir', dir, '--testMatch', '**/*.test.mjs', '--transform', '{}', '--watchman=false']
  const { status, output } = run(
    [...jest, ...options],
    [
      [/^.*\n.*\n/, "import { afterAll as after, beforeAll as before, expect, test } from '@jest/globals'\n"],
      ['assert.equal(body.userId, null)', 'expect(body.userId).toBe(null)'],
    ],
  )
  expect(output).toMatch(/^Tests: +2 passed, 2 total$/m)
  expect(status).toBe(0)
})
