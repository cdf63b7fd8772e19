// Next: a custom server, API routes that run the middleware themselves, and the App Router.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import express from 'express'
import next from 'next'
import { listen, openSessions, tryHost, versionOf } from '../../support/host.mjs'
import { SECRET } from '../../support/secret.mjs'
import { Visitor } from '../../support/visitor.mjs'

const dir = dirname(fileURLToPath(import.meta.url))
const cli = createRequire(import.meta.url).resolve('next/dist/bin/next')
const env = { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' }
execFileSync(process.execPath, [cli, 'build', dir], { env, stdio: ['ignore', 'ignore', 'inherit'] })

// The server of this program has no TLS.
Object.assign(process.env, { SESSION_SECRET: SECRET, SESSION_COOKIE: 'sid' })
const app = next({ dir, dev: false, quiet: true })
await app.prepare()
const answer = app.getRequestHandler()

/** API routes find this here: modules that Next has bundled share nothing else with this one. */
const shared = { routes: [], sessions: undefined }
globalThis.foreignHost = shared

/** Next answers every request, behind the middleware. */
function customServer(sessions) {
  const server = express().set('env', 'test').use(sessions)
  return server.use((req, res, next) => {
    answer(req, res).catch(next)
  })
}

async function tryAll() {
  await tryHost(
    'next',
    ({ sessions, routes }) => {
      shared.routes = routes
      return customServer(sessions)
    },
    { base: '/api' },
  )

  await tryHost(
    'next',
    ({ sessions, routes }) => {
      Object.assign(shared, { sessions, routes })
      return (req, res) => answer(req, res)
    },
    { base: '/api/middleware', away: 500 },
  )

  const { sessions, close } = await openSessions('next')
  const { url, close: closeServer } = await listen(customServer(sessions))
  const visitor = new Visitor(url)
  assert.match((await visitor.get('/page')).text, /user: nobody/)
  assert.deepEqual((await visitor.get('/account')).json(), { user: null })
  await visitor.post('/api/login')
  assert.match((await visitor.get('/page')).text, /user: ada/, 'getServerSideProps')
  assert.deepEqual((await visitor.get('/account')).json(), { user: 'ada' }, 'a route handler')
  await closeServer()
  await close()
}

// Next listens to errors that nobody has caught, and would keep this process alive.
await tryAll().catch((err) => {
  console.error(err)
  process.exit(1)
})
console.log(versionOf('next', import.meta.url))
process.exit()
