import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { childScript } from '../support/child-script.js'

type Told = { code: string; message: string }
let stderr: string
let results: {
  unheard: Record<string, Told>
  taken: Record<string, number>
  logout: unknown
  printed: { name: string; message: string }
}

/** Rejects if the process ends early, as it does by an unhandled rejection. */
beforeAll(async () => {
  const script = childScript('test', 'contract', 'unheard-failures.child.ts')
  const child = await promisify(execFile)(process.execPath, [script])
  results = JSON.parse(child.stdout)
  stderr = child.stderr
})

const METHODS = ['get', 'set', 'touch', 'destroy', 'all', 'ids', 'length', 'clear', 'regenerate']

test('a failing call without a callback, and nobody to await it, ends no process, and is a warning that names it', () => {
  const told = Object.entries(results.unheard)
  expect(new Set(told.map(([name]) => name.split(/[ ,]/)[0]))).toEqual(new Set(METHODS))
  for (const [name, { code, message }] of told) {
    expect(code).toBe('failure-unheard')
    expect(message).toMatch(new RegExp(`^store\\.${name.split(/[ ,]/)[0]}\\(\\) failed with ERR_SESSION_UNAVAILABLE`))
  }
  expect(JSON.stringify(results)).not.toContain('hush-')
})

test('a failure that somebody takes is theirs, and no warning', () => {
  const names = Object.keys(results.taken)
  expect(names.length).toBeGreaterThan(5)
  expect(results.taken).toEqual(Object.fromEntries(names.map((name) => [name, 0])))
})

test('req.session.destroy() without a callback answers, and tells of its failure', () => {
  expect(results.logout).toEqual({ text: 'bye', told: ['failure-unheard'] })
})

test('where nobody listens to warnings, Node prints it', () => {
  expect(results.printed.name).toBe('SessionStoreWarning')
  expect(stderr).toContain('store.destroy() failed with ERR_SESSION_UNAVAILABLE')
})
