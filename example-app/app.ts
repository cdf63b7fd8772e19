import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Redis } from 'ioredis'
import { formsOnly, refuseOtherMethods } from './acceptable-requests.js'
import { AccountSockets } from './account-sockets.js'
import { csrfProtection } from './csrf.js'
import { handleError, notFound } from './errors.js'
import { EventLog } from './event-log.js'
import { EXPERIMENT_SECONDS, Experiments } from './experiments/experiments.js'

import { showNewName } from './new-name.js'
import { explainEnding } from './other-client.js'
import { Outage, type PauseRedis } from './outage.js'
import { pageDefaults, pageSession } from './pages.js'
import { pretend } from './pretend.js'
import { CommandStrip } from './redis-commands/command-strip.js'
import { EXPERIMENTS, keyKinds } from './redis-commands/key-kinds.js'
import { watchCommands } from './redis-commands/watch-commands.js'
import { requireUser } from './require-user.js'
import { accountRoutes } from './routes/account.js'
import { ADMIN, adminPages, adminRoutes } from './routes/admin.js'
import { cartRoutes } from './routes/cart.js'
import { confirmRoutes } from './routes/confirm.js'
import { csrfRoutes } from './routes/csrf.js'
import { DEVICES, deviceRoutes } from './routes/devices.js'
import { EventStreams, eventRoutes } from './routes/events.js'
import { loginRoutes } from './routes/login.js'
import { duringOutage, outageRoutes } from './routes/outage.js'
import { pretendRoutes } from './routes/pretend.js'
import { sessionRoutes } from './routes/session.js'
import { shopRoutes } from './routes/shop.js'
import { stealRoutes, Thefts } from './routes/steal.js'
import { twoRequestsRoutes } from './routes/two-requests.js'
import { SessionHistory } from './session-history.js'
import { DEVICE_SECONDS, isThisMachine, shopSessions } from './sessions.js'
import { Users } from './users.js'

export interface AppOptions {
  client: Redis
  /** Secret for the session cookie and for derived keys: at least 32 random characters. */
  secret: string
  /** Prefix of every key, so that several shops can share one Redis. Default: none. */
  namespace?: string
  /** Whether visitors come over TLS, through a proxy on this machine. Default: true if NODE_ENV is `production`. */
  behindTls?: boolean
  /** How long a bound cookie lasts, in seconds. Default: short enough to watch it. */
  deviceSeconds?: number
  /** How long an experiment of the page "Two requests at once" may take, in seconds. Default: 10. */
  experimentSeconds?: number
  /** Makes Redis silent for some milliseconds. Default: it cannot be tried, because Redis may serve others. */
  pauseRedis?: PauseRedis
  /** For how long. Default: 10 seconds. */
  outageSeconds?: number
}

export interface Shop {
  app: Express
  /** Answers requests for sockets; for the event `upgrade` of the server. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Milliseconds until Redis answers again, if somebody has stopped it. */
  outageMs(): number
  /** Ends live logs and sockets, which would keep the server from closing. */
  close(): void
}

export function createApp(options: AppOptions): Express {
  return createShop(options).app
}

export function createShop(options: AppOptions): Shop {
  const { client, secret, namespace = '', behindTls = process.env.NODE_ENV === 'production' } = options
  const { deviceSeconds = DEVICE_SECONDS, experimentSeconds = EXPERIMENT_SECONDS } = options
  const sessions = shopSessions({ client, secret, prefix: `${namespace}sess:`, behindTls, deviceSeconds })
  const thefts = new Thefts()
  const history = new SessionHistory(sessions.store)
  const users = new Users(client, `${namespace}shop:user:`)
  const experiments = new Experiments(client, namespace + EXPERIMENTS, experimentSeconds * 1000)
  const strip = new CommandStrip(keyKinds(namespace))
  watchCommands(client)
  const log = new EventLog(sessions.store)
  const streams = new EventStreams(log)
  const outage = new Outage(sessions.store, options.pauseRedis, options.outageSeconds)
  const sockets = new AccountSockets(sessions)

  const app = express()
  app.set('view engine', 'ejs')
  app.set('views', join(import.meta.dirname, 'views'))
  app.disable('x-powered-by')
  // Trust the proxy on this machine, and nobody else, to say whether and from where the visitor came over TLS.
  if (behindTls) app.set('trust proxy', isThisMachine)

  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY } }))
  // Static files come before the session: a stylesheet needs no read from Redis, and the 503 page keeps its style.
  app.use(pageDefaults(sessions.cookie.name))
  app.use(refuseOtherMethods)
  app.use(express.static(join(import.meta.dirname, 'public'), { redirect: false }))
  app.use(strip.watch)
  app.use(streams.routes)
  app.use(duringOutage(outage, log))
  app.use(pretend)
  app.use(sessions.middleware)
  app.use(strip.remember(sessions.store))
  app.use(explainEnding)
  app.use(pageSession)
  app.use(showNewName(sessions.store, history))
  // The list of devices comes before the CSRF token of the shop's own forms, because it checks the origin of its forms
  // itself.
  app.use(DEVICES, requireUser(users), deviceRoutes(sessions.store))
  app.use(ADMIN, adminPages(sessions.store, users))
  app.use(formsOnly)
  app.use(twoRequestsRoutes(experiments))
  app.use(express.urlencoded({ extended: false, limit: '10kb' }))
  app.use(csrfProtection)

  app.use(shopRoutes())
  app.use(cartRoutes())
  app.use(loginRoutes(users))
  app.use(confirmRoutes(users))
  app.use(accountRoutes(users, sessions, history))
  app.use(sessionRoutes({ client, sessions, history, thefts }))
  app.use(pretendRoutes())
  app.use(stealRoutes(thefts))
  app.use(csrfRoutes())
  app.use(eventRoutes(log, sessions.store))
  app.use(outageRoutes(outage))
  app.use(adminRoutes())
  app.use(notFound)
  app.use(handleError)
  return {
    app,
    upgrade: (req, socket, head) => void sockets.upgrade(req, socket, head),
    outageMs: () => outage.leftMs,
    close() {
      streams.close()
      sockets.close()
    },
  }
}

/** All content comes from files of this server. No inline code, no frames. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
}
