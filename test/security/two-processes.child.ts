/** One server process of an application that runs in several. Prints its port, and what reached its error handler. */
import type { AddressInfo } from 'node:net'
import express from 'express'
import session from 'express-session'
import { RedisStore, rotateOnLogin } from '../../src/index.js'
import { connect } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of this test hold whatever the test puts there */
type Bag = any

const [prefix = ''] = process.argv.slice(2)
const app = express()
const store = new RedisStore({ client: connect(), prefix, timeout: 10_000 })
app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
app.use(rotateOnLogin({ principal: (held) => (held as Bag).user }))
app.get('/login/:user', (req, res) => {
  Object.assign(req.session, { user: req.params.user })
  res.end()
})
app.get('/show', (req, res) => {
  res.json({ pid: process.pid, user: (req.session as Bag).user ?? null })
})
app.get('/logout', (req, res, next) => {
  req.session.destroy((err) => (err ? next(err) : res.end()))
})
const server = app.listen(0, '127.0.0.1', () => {
  console.log((server.address() as AddressInfo).port)
})
// The test has gone, however it ended.
process.stdin.on('close', () => process.exit()).resume()
