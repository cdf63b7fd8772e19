// Express with the options that open connections, start timers and encrypt: a smoke test of runtimes.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import express from 'express'
import { application } from '../support/application.mjs'
import { checkHost } from '../support/check-host.mjs'
import { Device } from '../support/device.mjs'
import { listen, openSessions, versionOf } from '../support/host.mjs'
import { Visitor } from '../support/visitor.mjs'

const ended = []
const { sessions, line, close } = await openSessions('everything', {
  encryption: { keys: [randomBytes(32)] },
  cache: { max: 100, maxAge: 60 },
  limit: { index: 'user', max: 1, onExceed: 'evict' },
  broadcast: true,
  activity: true,
  device: { grace: 0 },
  onEnd: (_ended, reason) => void ended.push(reason),
})
const { store } = sessions
const { routes, letGo } = application(line)
const app = express().set('env', 'test').use(sessions)
for (const [method, path, handler] of routes) {
  app[method](path, (req, res, next) => {
    void handler(req).then((answer) => res.json(answer), next)
  })
}
const host = await listen(app)
await checkHost({ url: host.url, store, line, letGo })

const device = new Device()
const owner = new Visitor(host.url)
const bound = once(store, 'bound')
const offer = (await owner.post('/login')).headers.get('secure-session-registration')
const [, path, challenge] = /path="([^"]*)";challenge="([^"]*)"/.exec(offer)
const thief = owner.copy()
const registered = await owner.post(path, { 'Secure-Session-Response': device.register(challenge) })
assert.equal(registered.status, 200, 'a device registers')
await bound
assert.equal((await owner.get('/session')).json().userId, 'ada', 'the device is recognised')
assert.deepEqual((await thief.get('/session')).json(), {}, 'a session without its device is anonymous')
const id = { 'Sec-Secure-Session-Id': registered.json().session_identifier }
const asked = (await owner.post(path, id)).headers.get('secure-session-challenge')
const proof = device.prove(/^"([^"]*)"/.exec(asked)[1])
assert.equal((await owner.post(path, { ...id, 'Secure-Session-Response': proof })).status, 200, 'a device refreshes')

const phone = new Visitor(host.url)
const laptop = new Visitor(host.url)
await phone.post('/login')
const evicted = once(store, 'evicted')
await laptop.post('/login')
await evicted
assert.deepEqual((await phone.get('/session')).json(), {}, 'one session for each user')
// The tracking connection takes a moment after the line was cut.
const deadline = Date.now() + 10_000
while (store.cacheStats.hits === 0 && Date.now() < deadline) await laptop.get('/session')
assert.ok(store.cacheStats.hits > 0, 'the near cache serves')
const told = once(store, 'ended')
assert.equal(await store.destroyBy('user', 'ada'), 1, 'logged out everywhere')
await told
assert.deepEqual((await laptop.get('/session')).json(), {}, 'the near cache has heard of it')
while (!ended.includes('revoked') && Date.now() < deadline) await laptop.get('/session')
assert.deepEqual([...new Set(ended)].sort(), ['destroyed', 'evicted', 'revoked'], 'onEnd')

await host.close()
await close()
console.log(['express', 'ioredis'].map((name) => versionOf(name, import.meta.url)).join(', '))
