// serverless-http (AWS Lambda) uses one client for all calls of a process, which is frozen between them.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import express from 'express'
import { Redis } from 'ioredis'
import serverless from 'serverless-http'
import { tryHost, versionOf } from '../../support/host.mjs'
import { asLambda } from '../../support/lambda.mjs'
import { SECRET } from '../../support/secret.mjs'
import { Visitor } from '../../support/visitor.mjs'

await tryHost('serverless', ({ sessions, routes }) => {
  const app = express().set('env', 'test').use(sessions)
  for (const [method, path, handler] of routes) {
    app[method](path, (req, res, next) => {
      void handler(req).then((answer) => res.json(answer), next)
    })
  }
  return asLambda(serverless(app))
})

const env = { ...process.env, SESSION_SECRET: SECRET }
const child = spawn(process.execPath, [fileURLToPath(new URL('child.mjs', import.meta.url))], {
  env,
  stdio: ['ignore', 'pipe', 'inherit'],
})
const admin = new Redis(process.env.REDIS_URL)
try {
  const [url] = await once(child.stdout, 'data')
  const visitor = new Visitor(String(url).trim())
  assert.equal((await visitor.post('/login')).status, 200)
  for (let call = 0; call < 5; call += 1) {
    child.kill('SIGSTOP')
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    const answer = visitor.get('/')
    child.kill('SIGCONT')
    assert.deepEqual([(await answer).status, (await answer).text], [200, 'ada'], 'the first call after it was frozen')
  }
} finally {
  child.kill('SIGKILL')
  admin.disconnect()
}
console.log(versionOf('serverless-http', import.meta.url))
