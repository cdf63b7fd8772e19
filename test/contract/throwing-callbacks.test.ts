import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { childScript } from '../support/child-script.js'

type Results = Record<string, { called: number; uncaught: number }>
let results: { memory: Results; redis: Results; unhandled: number }

beforeAll(async () => {
  const script = childScript('test', 'contract', 'throwing-callbacks.child.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script])
  results = JSON.parse(stdout)
})

test.each(['memory', 'redis'] as const)(
  'a callback that throws is called once, and its exception reaches the process once (%s)',
  (store) => {
    const names = Object.keys(results[store])
    expect(names.length).toBeGreaterThanOrEqual(9)
    expect(results[store]).toEqual(Object.fromEntries(names.map((name) => [name, { called: 1, uncaught: 1 }])))
  },
)

test('a promise nobody looks at, beside a callback that throws, is not an unhandled rejection', () => {
  expect(results.redis).toHaveProperty('set that fails')
  expect(results.unhandled).toBe(0)
})
