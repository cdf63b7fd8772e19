/**
 * One server process of an application on @fastify/session, as its README has it, with our store. It is a process of
 * its own because Jest does not let @fastify/cookie import what it needs. Requests to /slow wait until the test says
 * `open`.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import fastify from 'fastify'
import { RedisStore } from '../../src/index.js'
import { isCaching } from '../support/near-cache.js'
import { PATIENCE } from '../support/patience.js'
import { connect } from '../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
type Bag = any
interface Wanted {
  Params: { name: string; value: string }
}

const [prefix, options = '{}', storeOptions = '{}'] = process.argv.slice(2)
const { withUsers, ...plainOptions } = JSON.parse(storeOptions)
const client = connect()
const indexes = withUsers ? { user: (session: Bag) => session.user } : {}
const store = new RedisStore({ client, prefix: prefix as string, indexes, ...PATIENCE, ...plainOptions })
const warnings: string[] = []
store.on('warning', ({ code }) => void warnings.push(code))
if (plainOptions.cache !== undefined) await isCaching(store, { client })

const say = (message: object) => process.send?.(message)
process.on('message', (message) => {
  if (message === 'state') say({ state: { ...store.counters, warnings } })
})
process.on('disconnect', () => process.exit())

const app = fastify()
await app.register(fastifyCookie)
await app.register(fastifySession, {
  store: store as never,
  secret: 'a secret of at least 32 characters',
  cookie: { secure: false },
  ...JSON.parse(options),
})
app.addHook('preHandler', async (req) => {
  if (!req.url.startsWith('/slow')) return
  say({ reached: true })
  for (;;) if ((await once(process, 'message'))[0] === 'open') return
})
for (const base of ['', '/slow']) {
  app.get<Wanted>(`${base}/put/:name/:value`, async (req) => {
    ;(req.session as Bag)[req.params.name] = req.params.value
    return 'ok'
  })
  app.get<Wanted>(`${base}/add/:value`, async (req) => {
    ;(req.session as Bag).basket ??= []
    ;(req.session as Bag).basket.push(req.params.value)
    return 'ok'
  })
  app.get(`${base}/read`, async (req) => (req.session as Bag).user ?? 'nobody')
  app.get(`${base}/save-twice`, async (req) => {
    ;(req.session as Bag).first = 1
    await req.session.save()
    delete (req.session as Bag).first
    ;(req.session as Bag).second = 1
    return 'ok'
  })
}
app.get<{ Params: { user: string } }>('/login/:user', async (req) => {
  await req.session.regenerate()
  ;(req.session as Bag).user = req.params.user
  return 'ok'
})
app.get('/logout', async (req) => {
  await req.session.destroy()
  return 'bye'
})
await app.listen({ port: 0, host: '127.0.0.1' })
say({ port: (app.server.address() as AddressInfo).port })
