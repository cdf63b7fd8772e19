import { createServer, type RequestListener } from 'node:http'
import connectApp from 'connect'
import { RedisStore, requireFreshLogin, rotateOnLogin, secureSession, sessionRouter } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import express4 from 'express4'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import Koa from 'koa'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const prefix = freshPrefix()
const indexes = { user: (held: unknown) => (held as { userId?: string }).userId }
const store = new RedisStore({ client, prefix, indexes, limit: { index: 'user', max: 1, onExceed: 'reject' } })
store.setMaxListeners(0)
const nowhere = new Redis({ port: 1, lazyConnect: true, retryStrategy: () => null })
nowhere.on('error', () => undefined)

afterAll(async () => {
  await store.clear()
  await client.quit()
})

/** The error that a request meets behind these middleware. */
async function errorBehind(...middleware: unknown[]): Promise<unknown> {
  const app = express()
  let met: unknown
  for (const one of middleware) app.use(one as express.RequestHandler)
  app.use(((err, _req, res, _next) => {
    met = err
    res.end()
  }) as express.ErrorRequestHandler)
  await request(app).get('/')
  return met
}

const sessions = () => session({ store, secret: 's', resave: false, saveUninitialized: false })
const login: express.RequestHandler = (req, res) => {
  Object.assign(req.session, { userId: 'ada' })
  res.end()
}

/** Errors that users have met, each from the part that makes it. */
const ERRORS: Record<string, [status: number, make: () => Promise<unknown>]> = {
  'Redis away': [503, () => new RedisStore({ client: nowhere, timeout: 50 }).get('sid').catch((err) => err)],
  'a value that cannot be stored': [500, () => store.set('sid', { userId: 'bob', big: 1n }).catch((err) => err)],
  'an id that cannot be one': [500, () => store.set('*', {}).catch((err) => err)],
  'a cookie that cannot be sent': [
    500,
    () => {
      const secret = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
      return errorBehind(secureSession({ client, prefix, secret, user: indexes.user }), login)
    },
  ],
  'a stale login': [401, () => errorBehind(sessions(), rotateOnLogin(), requireFreshLogin({ within: 1 }))],
  'one login too many': [
    409,
    async () => {
      await store.set('sid', { userId: 'ada' })
      return errorBehind(sessions(), rotateOnLogin(), login)
    },
  ],
  'a device page without a login': [401, () => errorBehind(sessions(), sessionRouter({ store }))],
}

test.each(Object.entries(ERRORS))(
  '%s has a status, the same as statusCode, and is exposed below 500 only',
  async (_name, [status, make]) => {
    const err = (await make()) as { status: number; statusCode: number; expose: boolean }
    const { statusCode, expose } = err
    expect({ status: err.status, statusCode, expose }).toEqual({ status, statusCode: status, expose: status < 500 })
  },
)

/** Servers that fail with the error they are given, and answer as they do by themselves. */
const SERVERS: Record<string, (err: Error) => Promise<RequestListener>> = {
  'Express 5': async (err) => express().use((_req, _res, next) => next(err)),
  'Express 4': async (err) => express4().use((_req: unknown, _res: unknown, next: (err: Error) => void) => next(err)),
  Connect: async (err) => connectApp().use((_req, _res, next) => next(err)),
  Koa: async (err) => {
    const app = new Koa()
    app.silent = true
    app.use(() => {
      throw err
    })
    const answer = app.callback()
    return (req, res) => void answer(req, res)
  },
  Fastify: async (err) => {
    const app = fastify()
    app.get('/', async () => {
      throw err
    })
    await app.ready()
    return (req, res) => {
      app.routing(req, res)
    }
  },
}

describe.each(Object.entries(SERVERS))('%s', (_name, serve) => {
  test.each(Object.entries(ERRORS))('answers %s with its status', async (_error, [status, make]) => {
    const server = createServer(await serve((await make()) as Error))
    await request(server).get('/').expect(status)
  })
})

test('Koa shows a visitor what is meant for them, and no message of a 503', async () => {
  const away = (await ERRORS['Redis away']?.[1]()) as Error
  const nobody = (await ERRORS['a device page without a login']?.[1]()) as Error
  const koa = SERVERS.Koa as (err: Error) => Promise<RequestListener>
  await request(createServer(await koa(away)))
    .get('/')
    .expect('Service Unavailable')
  await request(createServer(await koa(nobody)))
    .get('/')
    .expect('you are not logged in')
})
