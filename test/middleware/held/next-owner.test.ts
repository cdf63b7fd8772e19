import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { secureSession } from 'connect-redis-hash'
import { connect, freshPrefix } from '../../support/redis.js'
import { Visitor } from '../../support/visitor.js'

const client = connect()
const sessions = secureSession({
  client,
  prefix: freshPrefix(),
  secret: 'a secret of at least 32 characters',
  user: (session) => session.userId,
  cookie: { secure: false },
})
afterAll(async () => {
  await sessions.store.clear()
  await client.quit()
})

type Handler = (req: IncomingMessage & { session: Record<string, unknown> }, res: ServerResponse) => void

/** Does as @fastify/middie does: every request gets the `next` of one that has passed. */
function hostWithOneNext(handlers: Record<string, Handler>) {
  let current: [IncomingMessage, ServerResponse]
  const next = (err?: unknown) => {
    const [req, res] = current
    if (err) res.writeHead(500).end('the error of somebody else')
    else handlers[req.url ?? '']?.(req as never, res)
  }
  return createServer((req, res) => {
    current = [req, res]
    sessions(req, res, next)
  })
}

test('a save that fails once `next` serves another visitor is not told to that one, and its own visitor gets an error', async () => {
  let goOn = () => {}
  const server = hostWithOneNext({
    '/fail': (req, res) => {
      goOn = () => {
        req.session.tooLarge = 'x'.repeat(2 ** 21)
        res.end('saved')
      }
      reached()
    },
    '/other': (_req, res) => {
      goOn()
      void failed.then(() => {
        if (!res.writableEnded) res.end('mine')
      })
    },
  })
  server.listen(0)
  let reached = () => {}
  const isReached = new Promise<void>((resolve) => {
    reached = resolve
  })
  const failed = new Visitor(server).get('/fail')
  await isReached
  const other = await new Visitor(server).get('/other')
  expect([other.status, other.text]).toEqual([200, 'mine'])
  const { status, text } = await failed
  expect([status, text]).toEqual([500, 'Internal Server Error\n'])
  server.closeAllConnections()
  server.close()
})
