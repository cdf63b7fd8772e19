// serverless-http (AWS Lambda): one client for all calls of a process, which is frozen between them.
import express from 'express'
import serverless from 'serverless-http'
import { tryHost, versionOf } from '../support/host.mjs'
import { asLambda } from '../support/lambda.mjs'

await tryHost('serverless', ({ sessions, routes }) => {
  const app = express().set('env', 'test').use(sessions)
  for (const [method, path, handler] of routes) {
    app[method](path, (req, res, next) => {
      handler(req).then((answer) => res.json(answer), next)
    })
  }
  return asLambda(serverless(app))
})
console.log(versionOf('serverless-http', import.meta.url))
