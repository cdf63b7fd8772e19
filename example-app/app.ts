import { join } from 'node:path'
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Redis } from 'ioredis'
import { csrfProtection } from './csrf.js'
import { handleError, notFound } from './errors.js'
import { formsOnly, refuseOtherMethods } from './acceptable-requests.js'
import { showNewName } from './new-name.js'
import { explainEnding } from './other-client.js'
import { pageDefaults, pageSession } from './pages.js'
import { pretend } from './pretend.js'
import { requireUser } from './require-user.js'
import { accountRoutes } from './routes/account.js'
import { cartRoutes } from './routes/cart.js'
import { confirmRoutes } from './routes/confirm.js'
import { csrfRoutes } from './routes/csrf.js'
import { DEVICES, deviceRoutes } from './routes/devices.js'
import { loginRoutes } from './routes/login.js'
import { pretendRoutes } from './routes/pretend.js'
import { sessionRoutes } from './routes/session.js'
import { shopRoutes } from './routes/shop.js'
import { stealRoutes, Thefts } from './routes/steal.js'
import { SessionHistory } from './session-history.js'
import { DEVICE_SECONDS, shopSessions } from './sessions.js'
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
}

export function createApp(options: AppOptions): Express {
  const { client, secret, namespace = '', behindTls = process.env.NODE_ENV === 'production' } = options
  const { deviceSeconds = DEVICE_SECONDS } = options
  const sessions = shopSessions({ client, secret, prefix: `${namespace}sess:`, behindTls, deviceSeconds })
  const thefts = new Thefts()
  const history = new SessionHistory(sessions.store)
  const users = new Users(client, `${namespace}shop:user:`)

  const app = express()
  app.set('view engine', 'ejs')
  app.set('views', join(import.meta.dirname, 'views'))
  app.disable('x-powered-by')
  // Trust the proxy on this machine, and nobody else, to say whether and from where the visitor came over TLS.
  if (behindTls) app.set('trust proxy', 'loopback')

  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY } }))
  // Static files come before the session: a stylesheet needs no read from Redis, and the 503 page keeps its style.
  app.use(pageDefaults(sessions.cookie.name))
  app.use(refuseOtherMethods)
  app.use(express.static(join(import.meta.dirname, 'public'), { redirect: false }))
  app.use(pretend)
  app.use(sessions.middleware)
  app.use(explainEnding)
  app.use(pageSession)
  app.use(showNewName(sessions.store, history))
  // The list of devices comes before the CSRF token of the shop's own forms, because it checks the origin of its forms
  // itself.
  app.use(DEVICES, requireUser(users), deviceRoutes(sessions.store))
  app.use(formsOnly)
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
  app.use(notFound)
  app.use(handleError)
  return app
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
