import { randomBytes } from 'node:crypto'
import { secureSession } from 'connect-redis-hash'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import session from 'express-session'
import type { Redis } from 'ioredis'
import { connectRedisStore } from './connect-redis.js'
import { experimentRoutes } from './experiment-routes.js'
import { visitOf } from './visit.js'

/** One of two web applications with the same handlers, each with its own store. */
export interface Site {
  name: string
  app: Express
  /** Where its keys begin. */
  prefix: string
}

/** If nobody can remove a session of an experiment, because Redis is away, it ends by itself. */
export const SESSION_SECONDS = 60

/**
 * Makes the two applications, whose sessions exist only during an experiment.
 *
 * @param timeoutMs how long a command may take
 */
export function openSites(client: Redis, prefix: string, timeoutMs: number): [theirs: Site, ours: Site] {
  const secret = randomBytes(32).toString('base64url')
  const theirs = `${prefix}theirs:`
  const ours = `${prefix}ours:`
  const store = connectRedisStore(client, theirs, SESSION_SECONDS)
  return [
    {
      name: 'connect-redis 10',
      prefix: theirs,
      app: site(session({ store, secret, resave: false, saveUninitialized: false })),
    },
    {
      name: 'connect-redis-hash',
      prefix: ours,
      app: site(
        secureSession({
          client,
          prefix: ours,
          secret,
          user: (held) => held.userId,
          merge: ['cart'],
          ttl: SESSION_SECONDS,
          timeout: timeoutMs,
        }),
      ),
    },
  ]
}

function site(sessions: RequestHandler): Express {
  const app = express()
  // The visitors of the experiments come from this machine, and say that they come over TLS.
  app.set('trust proxy', 'loopback')
  app.use(sessions)
  app.use(experimentRoutes())
  app.use(fail)
  return app
}

/** Express recognises this function as an error handler by its four parameters. */
const fail: ErrorRequestHandler = (error, req, res, _next) => {
  visitOf(req).stage.fail(error)
  if (!res.headersSent) res.status(503).end()
}
