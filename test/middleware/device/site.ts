import { createServer, type Server } from 'node:http'
import {
  bindDevice,
  endSession,
  requireBoundDevice,
  rotateSession,
  type SecureSession,
  type SecureSessionOptions,
  type SessionEvents,
  secureSession,
} from 'connect-redis-hash'
import express from 'express'
import type { Redis } from 'ioredis'
import { boundValue } from '../../../src/middleware/device/bound-cookie.js'
import type { DeviceBrowser } from '../../support/device-browser.js'
import { freshPrefix } from '../../support/redis.js'

/** biome-ignore lint/suspicious/noExplicitAny: the sessions of these tests hold whatever a test puts there */
export type Bag = any

export const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'

export interface DeviceSite {
  server: Server
  sessions: SecureSession
  prefix: string
  /** Names and payloads of the events about devices. */
  events: [name: string, payload: object][]
  /** The one session's fields. */
  fields(): Promise<Record<string, string>>
  key(): Promise<string>
  /** Ages the binding and the browser's bound cookie. */
  pass(browser: DeviceBrowser, seconds: number): Promise<void>
  /** Runs in /again between the load of the session and its rotation. */
  beforeRotation: () => Promise<unknown>
  close(): Promise<void>
}

/** A site with secureSession, whose options `given` replaces. */
export function deviceSite(client: Redis, given: object = {}): DeviceSite {
  const { prefix = freshPrefix() } = given as { prefix?: string }
  const sessions = secureSession({
    client,
    prefix,
    secret: SECRET,
    user: (held: unknown) => (held as Bag).userId,
    device: true,
    ...given,
  } as SecureSessionOptions)
  const events: DeviceSite['events'] = []
  for (const name of ['bound', 'unbound', 'device-mismatch'] as const) {
    sessions.store.on(name, (payload: SessionEvents[typeof name]) => void events.push([name, payload]))
  }
  const server = createServer(application(sessions, () => site.beforeRotation()))
    .listen(0)
    .unref()
  const key = async () => prefix + ((await sessions.store.ids())[0] as string)
  const site: DeviceSite = {
    server,
    sessions,
    prefix,
    events,
    key,
    fields: async () => client.hgetall(await key()),
    pass: async (browser, seconds) => pass(client, await key(), browser, seconds * 1000),
    beforeRotation: async () => undefined,
    async close() {
      server.closeAllConnections()
      server.close()
      await sessions.store.clear()
      await sessions.store.close()
    },
  }
  return site
}

function application(sessions: SecureSession, beforeRotation: () => Promise<unknown>): express.Express {
  const app = express()
  app.set('trust proxy', 1)
  app.use(sessions as express.RequestHandler)
  app.get('/login', (req, res) => {
    ;(req.session as Bag).userId = req.query.userId
    res.redirect(303, '/me')
  })
  app.get('/again', (req, res, next) => {
    beforeRotation()
      .then(() => rotateSession(req, { login: req.query.login !== 'false' }))
      .then((done) => res.json({ done }), next)
  })
  app.get('/offer', (req, res) => void res.json({ offered: bindDevice.offer(req, res) }))
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.send('bye')))
  })
  app.get('/end-session', (req, res, next) => {
    endSession(req, res).then((done) => res.json({ done }), next)
  })
  app.get('/max-age', (req, res) => {
    req.session.cookie.maxAge = 0
    ;(req.session as Bag).last = 'words'
    res.send('bye')
  })
  app.get(
    '/me',
    (req, res) => void res.json({ user: (req.session as Bag)?.userId ?? null, device: req.deviceSession ?? null }),
  )
  app.get('/cart', (req, res) => {
    ;(req.session as Bag).cart = req.query.cart
    res.json({ user: (req.session as Bag).userId ?? null })
  })
  app.get('/pay', requireBoundDevice() as express.RequestHandler, (_req, res) => void res.send('paid'))
  app.use(
    ((err, _req, res, _next) =>
      void res.status(err.status ?? 500).send(err.code ?? err.message)) as express.ErrorRequestHandler,
  )
  return app
}

const earlier = (base36: string, by: number) => (Number.parseInt(base36, 36) - by).toString(36)

async function pass(client: Redis, key: string, browser: DeviceBrowser, ms: number): Promise<void> {
  const { '@db': binding, '@dc': challenge } = await client.hgetall(key)
  if (challenge !== undefined) {
    const [text, made = ''] = challenge.split(' ')
    await client.hset(key, '@dc', `${text} ${earlier(made, ms)}`)
  }
  if (binding === undefined) return
  const [secret = '', since = '', state] = binding.split(' ')
  await client.hset(key, '@db', `${secret} ${earlier(since, ms)} ${state}`)
  const cookie = browser.jar.get('__Host-device')
  if (cookie === undefined) return
  const issued = Number.parseInt(cookie.split('.')[0] as string, 36)
  browser.jar.set('__Host-device', boundValue(secret, issued - ms))
}
