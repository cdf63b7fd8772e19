// Fastify, with the middleware of Express through @fastify/middie.
import assert from 'node:assert/strict'
import middie from '@fastify/middie'
import Fastify from 'fastify'
import { openSessions, versionOf } from '../support/host.mjs'
import { tryFastify } from '../support/try-fastify.mjs'
import { Visitor } from '../support/visitor.mjs'

await tryFastify('fastify-middie', async (app, sessions) => {
  await app.register(middie)
  app.use(sessions)
})

// middie keeps its `next` in a pool: one that has passed serves the next visitor, who must not get the error of the
// first.
const OTHERS = 4
const { sessions, close } = await openSessions('fastify-middie-pool')
const app = Fastify()
await app.register(middie)
const held = []
let allHere = () => {}
app.use(sessions)
app.use((req, _res, next) => {
  if (req.url !== '/other') return next()
  if (held.push(next) === OTHERS) allHere()
})
app.post('/login', async (request) => {
  request.raw.session.userId = 'ada'
  return 'welcome'
})
app.get('/other', async (request) => request.raw.session.userId)
app.post('/fail', async (request) => {
  await new Promise((resolve) => {
    allHere = resolve
  })
  request.raw.session.tooLarge = 'x'.repeat(2 ** 21)
  return 'saved'
})
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const visitor = new Visitor(url)
await visitor.post('/login')
const failing = visitor.post('/fail')
while (allHere.length === 0) await new Promise(setImmediate)
const others = Array.from({ length: OTHERS }, () => visitor.get('/other'))
assert.equal((await failing).status, 500)
for (const next of held) next()
for (const other of others) assert.deepEqual([(await other).status, (await other).text], [200, 'ada'])
await app.close()
await close()
console.log(['fastify', '@fastify/middie'].map((name) => versionOf(name, import.meta.url)).join(', '))
