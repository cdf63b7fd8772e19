/**
 * An Express app on secureSession, as one process of several. It writes what onEnd was told to a file, at once, as the
 * file outlives this process, however that ends.
 */
import { openSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis, rotateSession, secureSession } from 'connect-redis-hash'
import express, { type NextFunction, type Request, type Response } from 'express'
import { TimedStore } from './timed-store.js'

export interface ServerSettings {
  /** Arguments of `connectRedis`. */
  where: unknown[]
  port: number
  /** File for what onEnd is told. */
  archive: string
}

/** What a server answers to "report". */
export interface ServerReport {
  heapBytes: number
  longestMs: number
  slowestOperation: string
  /** Longest time for which the process was busy with something else. */
  lagMs: number
  unhandled: string[]
  /** Codes of errors that are no 503. */
  unexpected: string[]
}

type Held = { userId?: string; tag?: string; cart?: number; [property: string]: unknown }

const { where, port, archive } = JSON.parse(process.argv[2] ?? '{}') as ServerSettings
const file = openSync(archive, 'a')
const unhandled: string[] = []
const unexpected: string[] = []
process.on('unhandledRejection', (err) =>
  unhandled.push(`unhandled rejection: ${(err as Error)?.stack ?? String(err)}`),
)
process.on('uncaughtException', (err) => unhandled.push(`uncaught exception: ${err.stack}`))
process.on('disconnect', () => process.exit())
const lag = monitorEventLoopDelay({ resolution: 10 })
lag.enable()

const client = (connectRedis as (...args: unknown[]) => ReturnType<typeof connectRedis>)(...where)
client.on('error', () => {})
const store = new TimedStore({
  client,
  ttl: 30 * 60,
  absoluteTimeout: 8 * 3600,
  touchInterval: 1,
  hashIds: 'a secret for ids',
  indexes: { user: (session) => session.userId as string | undefined },
  limit: { index: 'user', max: 3, onExceed: 'evict' },
  broadcast: true,
  activity: true,
  onEnd: ({ session }, reason) => void writeSync(file, `${JSON.stringify([session.tag ?? null, reason])}\n`),
})

const app = express()
app.use(
  secureSession({
    store,
    secret: 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT',
    user: (session) => session.userId as string | undefined,
    cookie: { secure: false },
    renew: { every: 5, grace: 2.5 },
  }),
)

const heldBy = (req: Request) => req.session as unknown as Held
/** Answers with the whole session, for the visitor to judge. */
function answer(req: Request, res: Response): void {
  const { cookie: _cookie, ...held } = { ...(req.session as unknown as Held | undefined) } as Held
  res.json(held)
}

app.get('/look', answer)
app.post('/cart/:n', (req, res) => {
  heldBy(req).cart = Number(req.params.n)
  answer(req, res)
})
app.post('/login/:user/:tag', (req, res) => {
  const held = heldBy(req)
  held.userId = req.params.user
  held.tag = req.params.tag
  if (req.query.ms) req.session.cookie.maxAge = Number(req.query.ms)
  answer(req, res)
})
app.post('/count/:property/:n', async (req, res) => {
  const held = heldBy(req)
  const { property, n } = req.params
  if (held.userId !== undefined) {
    await sleep(Math.random() * 15)
    held[property] = `${held.userId} ${n}`
  }
  answer(req, res)
})
app.post('/regenerate/:tag', (req, res, next) => {
  const { userId } = heldBy(req)
  if (userId === undefined) return answer(req, res)
  req.session.regenerate((err) => {
    if (err) return next(err)
    Object.assign(req.session, { userId, tag: req.params.tag })
    answer(req, res)
  })
})
app.post('/reauthenticate', async (req, res) => {
  if (heldBy(req).userId !== undefined) await rotateSession(req)
  answer(req, res)
})
app.post('/logout', (req, res, next) => {
  req.session.destroy((err) => (err ? next(err) : res.json({})))
})
app.post('/logout-elsewhere', async (req, res) => {
  const { userId } = heldBy(req)
  if (userId !== undefined) await store.destroyBy('user', userId, { except: req.sessionID })
  answer(req, res)
})
/** The soak itself sends this at its end; no visitor does. */
app.post('/clear', async (_req, res) => {
  await store.clear()
  res.json({})
})
app.use((err: { status?: number; code?: string }, _req: Request, res: Response, _next: NextFunction) => {
  if (err.status !== 503) unexpected.push(err.code ?? String(err))
  if (!res.headersSent) res.status(err.status ?? 500).json({ code: err.code })
})

process.on('message', (message) => {
  if (message !== 'report') return
  const { gc } = globalThis as { gc?: () => void }
  gc?.()
  gc?.()
  const { longestMs, slowestOperation } = store.takeLongest()
  process.send?.({
    heapBytes: process.memoryUsage().heapUsed,
    longestMs,
    slowestOperation,
    lagMs: lag.max / 1e6,
    unhandled: unhandled.splice(0),
    unexpected: unexpected.splice(0),
  } satisfies ServerReport)
  lag.reset()
})
const server = createServer(app)
server.keepAliveTimeout = 60_000
server.listen(port, '127.0.0.1', () => process.send?.('listening'))
