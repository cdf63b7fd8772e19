import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { inspect } from 'node:util'
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express'
import { type Gate, gate } from '../support/gate.js'

/** The parts in which targets differ; the rest of the site is the same code for all. */
export interface Protection {
  session: RequestHandler
  /** Stands in front of the sensitive action. Default: everybody passes. */
  freshLogin?: RequestHandler
  /** Called by the login. */
  loggedIn?(req: Request): void
}

/** A user of the site. */
export interface Account {
  name: string
  password: string
  /** Shown on the profile page of this account, and nowhere else. */
  secret: string
}

export interface Transfer {
  from: string
  to: string
}

/** What the site's log shows of an error: all there is. */
export interface Site {
  server: Server
  accounts: { ada: Account; bob: Account; eve: Account }
  transfers: Transfer[]
  log: string[]
  /** Requests with `?hold=<name>` wait, after their session was loaded, until the gate opens. */
  hold(name: string): Gate
  close(): void
}

/** biome-ignore lint/suspicious/noExplicitAny: a session holds whatever the site puts there */
type Held = Record<string, any>

const account = (name: string): Account => ({
  name,
  password: randomBytes(12).toString('hex'),
  secret: `secret-of-${name}-${randomBytes(12).toString('hex')}`,
})

/** A bank with a login as it stands in most tutorials: it sets the user, and that is all. */
export function openSite({ session, freshLogin = (_req, _res, next) => next(), loggedIn }: Protection): Site {
  const accounts = { ada: account('ada'), bob: account('bob'), eve: account('eve') }
  const transfers: Transfer[] = []
  const log: string[] = []
  const gates = new Map<string, Gate>()
  const accountOf = (name: unknown) => accounts[name as keyof typeof accounts]
  const held = (req: Request) => (req.session ?? {}) as Held

  const app = express()
  app.set('trust proxy', 1)
  app.use(session, express.json())
  app.use((req, _res, next) => {
    const name = String(req.query.hold)
    const shut = gates.get(name)
    if (shut === undefined) return next()
    shut.wait().then(() => next(), next)
  })

  app.get('/', (req, res) => {
    held(req).visits = (held(req).visits ?? 0) + 1
    res.send('welcome')
  })
  app.post('/login', (req, res) => {
    const { name, password, restricted } = req.body
    if (accountOf(name)?.password !== password) return void res.sendStatus(403)
    held(req).userId = name
    if (restricted) held(req).readOnly = true
    loggedIn?.(req)
    res.redirect(303, '/profile')
  })
  app.post('/logout', (req, res, next) => {
    req.session.destroy((err) => (err ? next(err) : res.send('bye')))
  })
  app.get('/profile', (req, res) => {
    const user = accountOf(held(req).userId)
    if (user === undefined) return void res.sendStatus(401)
    res.json({ user: user.name, secret: user.secret })
  })
  app.post('/transfer', freshLogin, (req, res) => {
    const user = accountOf(held(req).userId)
    if (user === undefined || held(req).readOnly) return void res.sendStatus(403)
    transfers.push({ from: user.name, to: String(req.query.to) })
    res.send('transferred')
  })
  /** Keeps what the user of the account, or an attacker in their place, types into it. */
  app.post('/note', (req, res) => {
    held(req).note = req.body.text
    res.send('noted')
  })
  app.get('/note', (req, res) => {
    res.json({ note: held(req).note ?? null })
  })
  /** Settings under names of the visitor's choice; the site only thinks of the one name that is dangerous. */
  app.post('/setting', (req, res) => {
    if (req.body.name === 'userId') return void res.sendStatus(403)
    held(req)[req.body.name] = req.body.value
    res.send('set')
  })
  /** A page that is meant for a CDN. */
  app.get('/news', (req, res) => {
    if (held(req).userId) held(req).lastNews = Math.random()
    res.set('Cache-Control', 'public, max-age=60').send('news')
  })

  app.use(((err, _req, res, _next) => {
    log.push(inspect(err, { depth: null, showHidden: true }))
    if (!res.headersSent) res.status(err.status ?? 500).send(inspect(err))
  }) satisfies ErrorRequestHandler)

  // A failed test that never closes it should not keep the whole run alive.
  const server = createServer(app).listen(0).unref()
  return {
    server,
    accounts,
    transfers,
    log,
    hold(name) {
      const made = gate()
      gates.set(name, made)
      return made
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
