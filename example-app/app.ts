import { join } from 'node:path'
import express, { type Express } from 'express'
import helmet from 'helmet'
import type { Redis } from 'ioredis'
import { csrfProtection } from './csrf.js'
import { handleError, notFound } from './errors.js'
import { pageDefaults, pageSession } from './pages.js'
import { accountRoutes } from './routes/account.js'
import { cartRoutes } from './routes/cart.js'
import { csrfRoutes } from './routes/csrf.js'
import { sessionRoutes } from './routes/session.js'
import { shopRoutes } from './routes/shop.js'
import { sessions } from './sessions.js'
import { Users } from './users.js'

export interface AppOptions {
  client: Redis
  /** Signs the session cookie. */
  secret: string
  /** Put before every key, so that several shops can share one Redis. Default none. */
  namespace?: string
}

export function createApp({ client, secret, namespace = '' }: AppOptions): Express {
  const prefix = `${namespace}sess:`
  const { store, middleware } = sessions(client, secret, prefix)
  const users = new Users(client, `${namespace}shop:user:`)

  const app = express()
  app.set('view engine', 'ejs')
  app.set('views', join(import.meta.dirname, 'views'))
  app.disable('x-powered-by')

  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY } }))
  // Before the session: a stylesheet needs no visit to Redis, and the 503 page still looks like a page.
  app.use(express.static(join(import.meta.dirname, 'public')))
  app.use(pageDefaults)
  app.use(middleware)
  app.use(pageSession)
  app.use(express.urlencoded({ extended: false, limit: '10kb' }))
  app.use(csrfProtection)

  app.use(shopRoutes())
  app.use(cartRoutes())
  app.use(accountRoutes(users))
  app.use(sessionRoutes({ client, store, prefix }))
  app.use(csrfRoutes())
  app.use(notFound)
  app.use(handleError)
  return app
}

/** Everything comes from this server's own files; nothing inline, nothing framed. */
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
