// csrf-csrf is bound to a value in the session and not to its id: tokens outlive a renewal, and end with a login.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import cookieParser from 'cookie-parser'
import { doubleCsrf } from 'csrf-csrf'
import express from 'express'
import { example } from '../support/example.mjs'
import { listen, openSessions, versionOf } from '../support/host.mjs'
import { SECRET } from '../support/secret.mjs'
import { Visitor } from '../support/visitor.mjs'

const EVERY_SECONDS = 1
const { sessions, close } = await openSessions('csrf', { renew: { every: EVERY_SECONDS } })
const app = express().set('env', 'test').use(sessions)
const scope = { app, cookieParser, doubleCsrf, randomBytes, process: { env: { CSRF_SECRET: SECRET } } }
await example('csrf', scope)
app.get('/', (req, res) => res.send(req.session.userId))
app.post('/buy', (_req, res) => res.send('bought'))
const { url, close: closeServer } = await listen(app)

const visitor = new Visitor(url)
const token = async () => (await visitor.get('/csrf')).text
const post = async (path, held) => (await visitor.post(path, { 'x-csrf-token': held })).status
const idOf = () => /sid=([^;]+)/.exec(visitor.cookie)?.[1]

const before = await token()
assert.equal(await post('/buy', 'forged'), 403)
assert.equal(await post('/buy', before), 200)
assert.equal(await post('/login/ada', before), 200)
assert.equal(await post('/buy', before), 403, 'a token from before the login')
const held = await token()
const [first, start] = [idOf(), Date.now()]
while (idOf() === first && Date.now() - start < 10_000) await visitor.get('/')
assert.notEqual(idOf(), first, 'the id has been renewed')
assert.equal(await post('/buy', held), 200, 'a token from before the renewal')
await closeServer()
await close()
console.log(versionOf('csrf-csrf', import.meta.url))
