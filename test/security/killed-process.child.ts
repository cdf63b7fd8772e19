/**
 * A server that lives the whole life of some sessions, over a line that ends the process at some command. It writes to
 * standard output, at once, which ids it has learned of, and which of them it knows to be ended.
 */
import { writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import session from 'express-session'
import { Redis } from 'ioredis'
import { RedisStore, rotateOnLogin, rotateSession } from '../../src/index.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of this test hold whatever the test puts there */
type Bag = any

const [path = '', prefix = ''] = process.argv.slice(2)
const client = new Redis(path)
// On a busy machine, an answer may take long; that is not what this process is killed for.
const options = { client, prefix, touchInterval: 0, timeout: 60_000 }
const store = new RedisStore(options)
const older = new RedisStore({ ...options, hashIds: 'old' })
const newer = new RedisStore({ ...options, hashIds: ['new', 'old'] })
const say = (what: 'knows' | 'ended', sid: string) => writeSync(1, `${what} ${sid}\n`)

const app = express()
app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
app.use(rotateOnLogin({ principal: (held) => (held as Bag).user }))
app.get('/pair/:n', (req, res) => {
  Object.assign(req.session, { left: req.params.n, right: req.params.n })
  res.json(req.sessionID)
})
app.get('/show', (req, res) => {
  res.json(req.sessionID)
})
app.get('/login/:user', (req, res) => {
  Object.assign(req.session, { user: req.params.user })
  res.end()
})
app.get('/again', (req, res, next) => {
  rotateSession(req).then(() => res.end(), next)
})
app.get('/regenerate', (req, res, next) => {
  req.session.regenerate((err) => {
    if (err) return next(err)
    Object.assign(req.session, { left: 'x', right: 'x' })
    res.end()
  })
})
app.get('/logout', (req, res, next) => {
  req.session.destroy((err) => (err ? next(err) : res.end()))
})
const server = createServer(app).listen(0, '127.0.0.1')
await new Promise((listening) => server.once('listening', listening))
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

let cookie = ''
let sid = ''

/** One request of a browser; if its id changes, the old one has been ended. */
async function visit(way: string): Promise<void> {
  const { headers, status } = await fetch(origin + way, { headers: { cookie } })
  if (status !== 200) throw new Error(`${way}: ${status}`)
  const set = headers.getSetCookie()[0]?.split(';')[0]
  if (set === undefined) return
  cookie = set
  const value = decodeURIComponent(set.slice(set.indexOf('=') + 1))
  const before = sid
  sid = value.slice(2, value.lastIndexOf('.'))
  if (sid === before) return
  say('knows', sid)
  if (before !== '') say('ended', before)
}

const pair = (n: number | string) => ({ left: n, right: n })
const plain = { originalMaxAge: null, path: '/' }

for (const way of ['/pair/1', '/show', '/login/ada', '/again', '/login/bob', '/regenerate']) await visit(way)
await store.patch(sid, pair(4))
await store.increment(sid, 'count')
await visit('/logout')
say('ended', sid)

// Sessions move from one secret to another, and out of connect-redis's string.
say('knows', 'moving')
await older.set('moving', { cookie: plain, ...pair(1) } as never)
await newer.set('moving', Object.assign((await newer.get('moving')) as object, pair(2)) as never)
await newer.destroy('moving')
say('ended', 'moving')
say('knows', 'converted')
await client.set(`${prefix}converted`, JSON.stringify({ cookie: plain, ...pair(1) }), 'EX', 60)
for (const n of [2, 3]) {
  await store.set('converted', Object.assign((await store.get('converted')) as object, pair(n)) as never)
}
await store.set('converted', { cookie: { ...plain, expires: new Date(1) }, ...pair(4) } as never)
say('ended', 'converted')
process.exit()
