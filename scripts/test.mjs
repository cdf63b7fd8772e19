// npm test: installs what the tests need, then runs Jest with the given arguments, e.g. npm test -- test/store

import { TESTS_OF } from '../test/support/other-clients.mjs'
import { ensureDependencies } from './dependencies.mjs'
import { ensureRedisServer } from './redis-binary.mjs'
import { installed, run } from './run.mjs'

try {
  await ensureDependencies()
  const args = process.argv.slice(2)
  // npm run test:sentinel and test:cluster choose the servers for the tests (test/support/global-setup.mjs).
  const on = args.find((arg) => arg.startsWith('--on='))
  // npm run test:node-redis and others give stores a client of another library (test/support/siblings.ts).
  const client = args.find((arg) => arg.startsWith('--client='))
  const env = { ...process.env, ...(on && { TEST_ON: on.slice(5) }), ...(client && { TEST_CLIENT: client.slice(9) }) }
  try {
    env.REDIS_SERVER_BIN = await ensureRedisServer()
  } catch (error) {
    // Tests of Redis failures need servers of their own; the others can use this one.
    if (!process.env.REDIS_URL) throw error
    console.warn('No redis-server on this machine: using REDIS_URL; tests that start servers of their own will fail.')
  }
  process.exitCode = await run(
    process.execPath,
    [installed('jest', 'bin', 'jest.js'), ...args.filter((arg) => arg !== on && arg !== client), ...without(env)],
    {
      env,
    },
  )
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

/**
 * Arguments that leave out tests.
 * @param {{ TEST_CLIENT?: string }} env
 */
function without({ TEST_CLIENT = '' }) {
  const names = TESTS_OF[TEST_CLIENT] ?? []
  return names.length === 0 ? [] : [`--testNamePattern=^(?!.*(${names.join('|')}))`]
}
