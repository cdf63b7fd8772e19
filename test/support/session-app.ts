import { createServer, type Server } from 'node:http'
import type { Middleware, RedisStore } from 'connect-redis-hash'
import { sign } from 'cookie-signature'
import express, { type NextFunction, type Request, type Response } from 'express'
import session from 'express-session'
import request from 'supertest'

const SECRET = 'keyboard cat'

/** An Express app with sessions, whose error handler answers the error's own status and code. */
export interface SessionApp {
  server: Server
  /** Errors that reached the error handler, also after a response had begun. */
  errors: unknown[]
  visit(path: string, sid?: string): request.Test
  close(): void
}

/** The one property these sessions have. */
type Live = session.Session & { value?: string }

/**
 * @param pause what a request to /slow waits for between loading its session and changing it
 * @param middleware middleware to run after `session()`
 */
export function sessionApp(
  store: RedisStore,
  pause = () => Promise.resolve(),
  middleware: Middleware[] = [],
): SessionApp {
  const errors: unknown[] = []
  const app = express()
  app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }))
  for (const one of middleware) app.use(one)

  app.get('/show', (req, res) => {
    const live = req.session as Live | undefined
    res.json({ hasSession: live !== undefined, value: live?.value ?? null })
  })
  /** Saves the session when the response ends, as most applications do. */
  app.get('/put/:value', (req, res) => {
    const live = req.session as Live | undefined
    if (live) live.value = req.params.value
    res.json({ hasSession: live !== undefined })
  })
  app.get('/slow/:value', async (req, res) => {
    await pause()
    ;(req.session as Live).value = req.params.value
    res.json({ hasSession: true })
  })
  /** Saves the session before the response is sent. */
  app.get('/save/:value', (req, res, next) => {
    const live = req.session as Live
    live.value = req.params.value
    live.save((err) => (err ? next(err) : res.json({ saved: true })))
  })
  app.get('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.json({ bye: true })))
  })
  app.get('/login', (req, res, next) => {
    req.session.regenerate((err) => (err ? next(err) : res.json({ regenerated: true })))
  })
  app.use((err: { status?: number; code?: string }, _req: Request, res: Response, _next: NextFunction) => {
    errors.push(err)
    if (!res.headersSent) res.status(err.status ?? 500).json({ code: err.code })
  })

  // A failed test that has not closed the server must not keep the whole run alive.
  const server = createServer(app).listen(0).unref()
  return {
    server,
    errors,
    visit(path, sid) {
      const sent = request(server).get(path)
      return sid === undefined
        ? sent
        : sent.set('Cookie', `connect.sid=${encodeURIComponent(`s:${sign(sid, SECRET)}`)}`)
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
