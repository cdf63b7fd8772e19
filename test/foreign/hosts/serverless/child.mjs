// A process as Lambda has it runs the example of docs/recipes.md, over TLS as far as it can tell.
import { connectRedis, secureSession } from 'connect-redis-hash'
import express from 'express'
import serverless from 'serverless-http'
import { example } from '../../support/example.mjs'
import { listen } from '../../support/host.mjs'
import { asLambda } from '../../support/lambda.mjs'

const app = express().set('env', 'test').set('trust proxy', 1)
app.use((req, _res, next) => {
  req.headers['x-forwarded-proto'] = 'https'
  next()
})
const handler = await example('serverless', { app, connectRedis, secureSession, serverless }, 'return handler')
app.post('/login', (req, res) => {
  req.session.userId = 'ada'
  res.end()
})
app.get('/', (req, res) => res.send(req.session.userId))
console.log((await listen(asLambda(handler))).url)
