import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connectRedis, secureSession } from 'connect-redis-hash'
import { application } from './application.mjs'
import { checkHost } from './check-host.mjs'
import { openLine } from './line.mjs'
import { SECRET } from './secret.mjs'

/**
 * Opens secureSession as an application does, on a line that can be cut.
 *
 * @param {string} name the prefix of its keys
 * @param {object} [options] more options of secureSession
 */
export async function openSessions(name, options) {
  const line = await openLine()
  const client = connectRedis(line.url)
  client.on('error', () => {})
  const user = (session) => session.userId
  const cookie = { secure: false }
  const sessions = secureSession({ client, prefix: `${name}:`, secret: SECRET, user, cookie, ...options })
  await sessions.store.clear()
  async function close() {
    await sessions.store.clear()
    await sessions.store.close()
    client.disconnect()
    await line.cut()
  }
  return { sessions, line, close }
}

/**
 * Builds a host around secureSession, and checks all that is promised.
 *
 * @param {string} name
 * @param {(parts: { sessions: import('connect-redis-hash').SecureSession,
 *  routes: ReturnType<typeof application>['routes'] }) => unknown} build makes the host: a listener for Node's http, or
 * `{ url, close }` of a server that listens
 * @param {{ base?: string, away?: number }} [expected] options of `checkHost`
 */
export async function tryHost(name, build, expected) {
  const { sessions, line, close } = await openSessions(name)
  const { routes, letGo } = application(line)
  const built = await build({ sessions, routes })
  const host = typeof built === 'function' ? await listen(built) : built
  await checkHost({ url: host.url, store: sessions.store, line, letGo, ...expected })
  await host.close()
  await close()
}

/** @param {import('node:http').RequestListener} listener */
export async function listen(listener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, server, close: () => closeServer(server) }
}

/** @param {import('node:http').Server} server */
async function closeServer(server) {
  server.close()
  server.closeAllConnections()
}

/**
 * Finds the version of an installed package, for the last line that a program prints.
 * @param {string} name
 * @param {string} from the program's import.meta.url
 */
export function versionOf(name, from) {
  // require.resolve does not help: few packages export their package.json, and some are built into Bun.
  for (let folder = new URL('.', from); folder.pathname !== '/'; folder = new URL('..', folder)) {
    const file = new URL(`node_modules/${name}/package.json`, folder)
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version
  }
  throw new Error(`${name} is not installed`)
}
