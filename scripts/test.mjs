// npm test: installs what the tests need, then runs Jest with the given arguments, e.g. npm test -- test/session
// --server=redis-6.0 gets one of the servers in scripts/servers.mjs for them.
import { TESTS, TESTS_OF } from '../test/support/other-clients.mjs'
import { ensureDependencies } from './dependencies.mjs'
import { ensureRedisServer, nameOfServer } from './redis-binary.mjs'
import { installed, run } from './run.mjs'
import { ensureServer } from './servers.mjs'

const rest = process.argv.slice(2)

/**
 * Takes an option of this script out of the arguments; the others are Jest's.
 *
 * @param {string} name
 */
function take(name) {
  const at = rest.findIndex((arg) => arg.startsWith(`--${name}=`))
  return at < 0 ? undefined : rest.splice(at, 1)[0]?.slice(name.length + 3)
}

try {
  await ensureDependencies()
  // npm run test:sentinel and test:cluster choose the servers for the tests (test/support/global-setup.mjs).
  const on = take('on')
  const server = take('server')
  // npm run test:node-redis and others give stores a client of another library (test/support/siblings.ts).
  const client = take('client')
  const env = { ...process.env, ...(on && { TEST_ON: on }), ...(client && { TEST_CLIENT: client }) }
  try {
    env.REDIS_SERVER_BIN = server ? await ensureServer(server) : await ensureRedisServer()
    console.log(`${await nameOfServer(env.REDIS_SERVER_BIN)}, Node ${process.versions.node}`)
  } catch (error) {
    // Tests of Redis failures need servers of their own; the others can use this one.
    if (!process.env.REDIS_URL || server) throw error
    console.warn('No redis-server on this machine: using REDIS_URL; tests that start servers of their own will fail.')
  }
  const args = [...rest, ...without(env)]
  process.exitCode = await run(process.execPath, [installed('jest', 'bin', 'jest.js'), ...args], { env })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

/**
 * Arguments that leave out tests.
 * @param {{ TEST_CLIENT?: string }} env
 */
function without({ TEST_CLIENT }) {
  if (TEST_CLIENT === undefined) return []
  const names = [...TESTS, ...(TESTS_OF[TEST_CLIENT] ?? [])]
  return [`--testNamePattern=^(?!.*(${names.join('|')}))`]
}
