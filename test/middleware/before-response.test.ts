import { RedisStore, saveBeforeResponse } from 'connect-redis-hash'
import express, { type ErrorRequestHandler } from 'express'
import session from 'express-session'
import request from 'supertest'
import { connect, freshPrefix } from '../support/redis.js'

const client = connect()
const store = new RedisStore({ client, prefix: freshPrefix() })

afterAll(async () => {
  await store.clear()
  await client.quit()
})

const answerError: ErrorRequestHandler = (err, _req, res, _next) => {
  res.status(500).end(`handled: ${err.name}`)
}

/** An app that holds all its responses, as each has changed its session. */
function app(answer: express.RequestHandler): express.Express {
  const made = express()
  made.use(session({ store, secret: 's', resave: false, saveUninitialized: false }), saveBeforeResponse())
  made.get('/', (req, res, next) => {
    Object.assign(req.session, { visits: 1 })
    return answer(req, res, next)
  })
  made.use(answerError)
  return made
}

describe('a held response that cannot be sent is answered with an error, and the process goes on', () => {
  test.each<[string, express.RequestHandler]>([
    ['a header from the visitor that no header may be', (_req, res) => res.writeHead(302, { Location: '/€' }).end()],
    ['a body of a type that no body may have', (_req, res) => res.end(5 as never)],
    [
      'a session property that hides a method of the session',
      (req, res) => {
        Object.assign(req.session, { save: 'x' })
        res.end('ok')
      },
    ],
  ])('%s', async (_name, answer) => {
    const response = await request(app(answer)).get('/')
    expect([response.status, response.text]).toEqual([500, 'handled: TypeError'])
    expect(response.headers['set-cookie']).toBeUndefined()
  })

  test('and one that fails when it has begun is cut off', async () => {
    const begun = app((_req, res) => {
      res.write('begun')
      res.end(5 as never)
    })
    await expect(request(begun).get('/')).rejects.toThrow(/aborted|hang up/)
    await request(app((_req, res) => res.end('ok')))
      .get('/')
      .expect(200, 'ok')
  })
})
