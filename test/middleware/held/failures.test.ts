import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect as dial } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Middleware, RedisStore, saveBeforeResponse } from 'connect-redis-hash'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import session from 'express-session'
import { createProxyMiddleware } from 'http-proxy-middleware'
import Koa from 'koa'
import koaConnect from 'koa-connect'
import { connect, freshPrefix } from '../../support/redis.js'
import { text } from './answers.js'
import { overHttp1 } from './client.js'

const client = connect()
const store = new RedisStore({ client, prefix: freshPrefix(), maxBytes: 4000 })
store.setMaxListeners(100)
const unhandled: unknown[] = []
const noteUnhandled = (err: unknown) => unhandled.push(err)

beforeAll(() => {
  process.on('unhandledRejection', noteUnhandled)
  process.on('uncaughtExceptionMonitor', noteUnhandled)
})
afterAll(async () => {
  process.off('unhandledRejection', noteUnhandled)
  process.off('uncaughtExceptionMonitor', noteUnhandled)
  await store.clear()
  await client.quit()
  expect(unhandled).toEqual([])
})

const sessions = () => [
  session({ store, secret: 's', resave: false, saveUninitialized: false }) as unknown as Middleware,
  saveBeforeResponse(),
]
const SORRY: ErrorRequestHandler = (err, _req, res, next) => {
  if (res.headersSent) return next(err)
  res.status(err.status ?? 500).end(`sorry: ${err.code ?? err.message}`)
}

/** Puts more on the session than may be saved, or a little. */
const change = (req: IncomingMessage, fails: boolean) =>
  Object.assign((req as never as { session: object }).session, { value: fails ? 'x'.repeat(5000) : 'little' })

function site(answer: RequestHandler, handler: ErrorRequestHandler = SORRY): express.Express {
  const app = express()
  app.use(...(sessions() as never as RequestHandler[]))
  app.get('/ping', (_req, res) => {
    res.end('pong')
  })
  app.get('/', (req, res, next) => {
    change(req, req.query.fails !== undefined)
    return answer(req, res, next)
  })
  return app.use(handler)
}

async function serving<T>(
  app: (req: IncomingMessage, res: ServerResponse) => unknown,
  work: (port: number) => Promise<T>,
) {
  const server = createServer(app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work((server.address() as AddressInfo).port)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** Sends one request, then another on the same connection if it stays. */
const visit = (app: (req: IncomingMessage, res: ServerResponse) => unknown, path = '/?fails') =>
  serving(app, async (port) => {
    const connection = overHttp1(port)
    try {
      const { status, body } = await connection.fetch(path)
      const ping = (await connection.fetch('/ping')).body
      return { status, body, ping }
    } finally {
      connection.close()
    }
  })

const TOO_LARGE = { status: 500, body: 'sorry: ERR_SESSION_TOO_LARGE', ping: 'pong' }

describe('writing to a response whose save fails', () => {
  test('callbacks of write and end are called once, with the error', async () => {
    const called: unknown[] = []
    const note = (name: string) => (err?: unknown) => called.push([name, (err as { code?: string } | undefined)?.code])
    const app = site((_req, res) => {
      res.write('a', note('write'))
      res.write('b', 'utf8', note('write with an encoding'))
      res.end('c', note('end'))
    })
    expect(await visit(app)).toEqual(TOO_LARGE)
    const code = 'ERR_SESSION_TOO_LARGE'
    expect(called).toEqual([
      ['write', code],
      ['write with an encoding', code],
      ['end', code],
    ])
  })

  test('callbacks are called without an error where the save succeeds', async () => {
    const called: unknown[] = []
    const app = site((_req, res) => {
      res.write('a', (err) => called.push(['write', err ?? undefined]))
      res.end('b', () => called.push(['end', undefined]))
    })
    expect(await visit(app, '/')).toEqual({ status: 200, body: 'ab', ping: 'pong' })
    expect(called.sort()).toEqual([
      ['end', undefined],
      ['write', undefined],
    ])
  })

  test('a handler that goes on writing is not mixed into an error page that comes later', async () => {
    const late: ErrorRequestHandler = async (err, _req, res, _next) => {
      await sleep(40)
      res.status(500).write('sorry: ')
      await sleep(20)
      res.end(err.code)
    }
    let isWritten = false
    const app = site(async (_req, res) => {
      for (let i = 0; i < 12; i++) {
        res.write('of the page')
        await sleep(10)
      }
      res.end('of the page', () => {
        isWritten = true
      })
    }, late)
    expect(await visit(app)).toEqual(TOO_LARGE)
    while (!isWritten) await sleep(5)
  })

  test('a handler that waits for drain goes on, and comes to its end', async () => {
    let finished!: () => void
    const done = new Promise<void>((resolve) => {
      finished = resolve
    })
    const app = site(async (_req, res) => {
      for (let i = 0; i < 10; i++) if (!res.write(text)) await once(res, 'drain')
      res.end()
      finished()
    })
    expect(await visit(app)).toEqual(TOO_LARGE)
    await done
  })

  test('a handler that has gone on waiting for its own work may write, set headers and end after the error page', async () => {
    let outcome: Promise<unknown> = Promise.resolve()
    const app = site((_req, res) => {
      res.write('half')
      outcome = (async () => {
        await once(res, 'finish')
        res.write('more')
        res.end('end')
      })()
    })
    expect(await visit(app)).toEqual(TOO_LARGE)
    await outcome
  })
})

describe('an error handler that answers later', () => {
  const later: ErrorRequestHandler = async (err, _req, res, _next) => {
    await sleep(40)
    if (!res.headersSent) res.status(500).end(`sorry: ${err.code}`)
  }

  test.each<[string, RequestHandler]>([
    [
      'answers once more',
      (_req, res) => {
        res.redirect('/ping')
        setTimeout(() => res.status(200).send('once more'), 10)
      },
    ],
    [
      'goes on to the next handler',
      (_req, res, next) => {
        res.end('page')
        setTimeout(next, 10)
      },
    ],
    [
      'answers where its stream has failed',
      (_req, res) => void res.write('part', (err) => err && !res.headersSent && res.status(200).json({ ok: true })),
    ],
    [
      'sets headers, cookies and a status',
      (_req, res) => {
        res.write('part')
        setTimeout(() => res.cookie('auth', 'yes').status(203).set('Content-Length', '3'), 10)
      },
    ],
    [
      'corks its response',
      (_req, res) => {
        res.cork()
        res.write('part')
        res.end('page')
      },
    ],
  ])('is heard alone where the handler %s', async (_name, answer) => {
    expect(await visit(site(answer, later))).toEqual(TOO_LARGE)
  })

  test('may stream its answer where the handler has corked its response', async () => {
    const streaming: ErrorRequestHandler = (_err, _req, res, _next) => {
      res.statusCode = 500
      Readable.from([text, text, text]).pipe(res)
    }
    const app = site((_req, res) => {
      res.cork()
      res.write('part')
      res.end('page')
    }, streaming)
    expect(await visit(app)).toEqual({ status: 500, body: text.repeat(3), ping: 'pong' })
  })

  test('leaves nothing of an answer that it has begun and not given in time', async () => {
    const tooLate: ErrorRequestHandler = async (_err, _req, res, _next) => {
      res.status(503).set({ 'Content-Length': '300', 'Content-Encoding': 'gzip' })
      await once(res, 'finish')
      res.end('x'.repeat(300))
    }
    const app = site((_req, res) => void res.send('page'), tooLate)
    expect(await visit(app)).toEqual({ status: 500, body: 'Internal Server Error\n', ping: 'pong' })
  })

  test('that nobody can tell from the handler keeps no visitor waiting', async () => {
    // The bus calls back outside this request, like something that another request has made.
    const bus = new EventEmitter()
    const elsewhere: ErrorRequestHandler = (_err, _req, res, _next) => {
      res.status(500).write('sorry: ')
      bus.once('tick', () => res.end('and more'))
    }
    const app = site((_req, res) => void res.send('page'), elsewhere)
    const ticking = setInterval(() => bus.emit('tick'), 20)
    await expect(visit(app)).rejects.toThrow(/aborted|hang up/)
    clearInterval(ticking)
  })
})

describe('what the application sees of a held response', () => {
  test('headersSent is true from its first header or byte, as without the hold; writableEnded from its end', async () => {
    const seen: unknown[] = []
    const app = site((_req, res) => {
      const look = () => seen.push([res.headersSent, res.writableEnded])
      look()
      res.write('a')
      look()
      res.end('b')
      look()
    })
    expect(await visit(app, '/')).toEqual({ status: 200, body: 'ab', ping: 'pong' })
    expect(seen).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ])
  })

  test('a header that comes too late is refused, and what was sent before stays as it was', async () => {
    const codes: unknown[] = []
    const app = site((_req, res) => {
      res.setHeader('X-First', '1').status(201)
      res.write('a')
      for (const set of [() => res.setHeader('X-Late', '1'), () => res.removeHeader('X-First')]) {
        try {
          set()
        } catch (err) {
          codes.push((err as { code: string }).code)
        }
      }
      res.statusCode = 500
      res.end()
    })
    await serving(app, async (port) => {
      const response = await fetch(`http://127.0.0.1:${port}/`)
      expect([response.status, response.headers.get('x-first'), response.headers.get('x-late')]).toEqual([
        201,
        '1',
        null,
      ])
      expect(await response.text()).toBe('a')
    })
    expect(codes).toEqual(['ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT'])
  })

  test('a handler that throws after half of its response does not make a whole one of it', async () => {
    const app = site((_req, res) => {
      res.write('half')
      throw new Error('of the handler')
    })
    await serving(app, async (port) => {
      await expect(fetch(`http://127.0.0.1:${port}/`).then((response) => response.text())).rejects.toThrow()
    })
  })

  test('write asks its caller to wait once as much is held as a response buffers', async () => {
    let written = 0
    let buffered = 0
    const app = site((_req, res) => {
      buffered = res.writableHighWaterMark
      do written += 6000
      while (res.write('x'.repeat(6000)))
      res.end()
    })
    expect((await visit(app, '/')).status).toBe(200)
    expect(written).toBe(Math.ceil(buffered / 6000) * 6000)
  })

  test('header names keep their spelling', async () => {
    const app = site((_req, res) => {
      res.setHeader('X-My-NAME', '1').end('a')
    })
    await serving(app, async (port) => {
      const names = await new Promise<string[]>((resolve, reject) => {
        request({ port, host: '127.0.0.1' }, (res) => resolve(res.resume().rawHeaders))
          .on('error', reject)
          .end()
      })
      expect(names).toContain('X-My-NAME')
    })
  })
})

test('visitors that leave while their response is held are saved all the same, and nothing is thrown', async () => {
  const begun = new Set<string>()
  const app = site((req, res) => {
    begun.add(req.sessionID)
    res.write(text)
    setImmediate(() => res.end(text))
  })
  await serving(app, async (port) => {
    for (const path of ['/', '/?fails']) {
      const socket = dial(port, '127.0.0.1')
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      while (begun.size === 0) await sleep(1)
      socket.destroy()
      const [sid] = [...begun] as [string]
      begun.clear()
      if (path === '/') while (!(await store.exists(sid))) await sleep(5)
    }
    expect(await (await fetch(`http://127.0.0.1:${port}/ping`)).text()).toBe('pong')
  })
})

test('requests that come before the response to the one before are answered in order, whole', async () => {
  const app = site((_req, res) => {
    res.write('a')
    setImmediate(() => res.end('b'))
  })
  await serving(app, async (port) => {
    const socket = dial(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /?fails HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    let got = ''
    for await (const chunk of socket) got += chunk
    expect(got.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 500'])
    expect(got).toContain('sorry: ERR_SESSION_TOO_LARGE')
  })
})

describe('behind http-proxy-middleware', () => {
  let origin: Server
  beforeAll(async () => {
    origin = createServer((_req, res) => res.setHeader('X-Origin', '1').end(text)).listen(0, '127.0.0.1')
    await once(origin, 'listening')
  })
  afterAll(() => {
    origin.closeAllConnections()
    origin.close()
  })

  test.each([
    ['/', { status: 200, body: text }],
    ['/?fails', { status: 500, body: 'sorry: ERR_SESSION_TOO_LARGE' }],
  ])('%s', async (path, expected) => {
    const target = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`
    const proxy = createProxyMiddleware({ target }) as never as RequestHandler
    expect(await visit(site(proxy), path)).toEqual({ ...expected, ping: 'pong' })
  })
})

describe('where nobody answers the error', () => {
  const warned = () => {
    const codes: string[] = []
    const note = ({ code }: { code: string }) => codes.push(code)
    store.on('warning', note)
    return { codes, stop: () => store.off('warning', note) }
  }
  const BARE = { status: 500, body: 'Internal Server Error\n' }
  const run = (mw: Middleware, req: IncomingMessage, res: ServerResponse) =>
    new Promise<void>((resolve, reject) => mw(req, res, (err) => (err ? reject(err) : resolve())))

  test('middleware run as a promise: the visitor gets the status of the error, and a warning says so', async () => {
    const warning = warned()
    const chain = sessions()
    const app = async (req: IncomingMessage, res: ServerResponse) => {
      if (req.url === '/ping') return res.end('pong')
      for (const mw of chain) await run(mw, req, res)
      change(req, true)
      return res.end('saved')
    }
    expect(await visit(app)).toEqual({ ...BARE, ping: 'pong' })
    expect(warning.codes).toEqual(['error-unanswered'])
    warning.stop()
  })

  test('koa-connect', async () => {
    const app = new Koa()
    for (const mw of sessions()) app.use(koaConnect(mw as never))
    app.use((ctx) => {
      if (ctx.path === '/ping') ctx.body = 'pong'
      else {
        change(ctx.req, ctx.query.fails !== undefined)
        ctx.body = text
      }
    })
    const handle = app.callback()
    expect(await visit(handle, '/')).toEqual({ status: 200, body: text, ping: 'pong' })
    expect(await visit(handle)).toEqual({ ...BARE, ping: 'pong' })
  })

  test('a next() that throws: the visitor gets the status at once', async () => {
    const [load, save] = sessions() as [Middleware, Middleware]
    const app = (req: IncomingMessage, res: ServerResponse) => {
      if (req.url === '/ping') return res.end('pong')
      return load(req, res, () =>
        save(req, res, (err) => {
          if (err) throw err
          change(req, true)
          res.end('saved')
        }),
      )
    }
    expect(await visit(app)).toEqual({ ...BARE, ping: 'pong' })
  })

  test('an error handler that comes too late changes nothing, and throws nowhere', async () => {
    let outcome: unknown = 'not yet'
    const tooLate: ErrorRequestHandler = async (err, _req, res, _next) => {
      await once(res, 'finish')
      try {
        res.status(500).set('X-Late', '1').json({ code: err.code })
        outcome = 'nothing thrown'
      } catch (thrown) {
        outcome = thrown
      }
    }
    const app = site((_req, res) => {
      res.end('page')
    }, tooLate)
    expect(await visit(app)).toEqual({ ...BARE, ping: 'pong' })
    while (outcome === 'not yet') await sleep(5)
    expect(outcome).toBe('nothing thrown')
  })
})
