import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sign } from 'cookie-signature'
import express from 'express'
import session, { type Store } from 'express-session'
import { sidOf } from '../contents.js'

const SECRET = 'benchmark'

interface Content {
  field0?: string
  written?: number
}

/**
 * An Express application with a route that reads the session and one that changes it.
 *
 * @param store undefined: an application without sessions
 */
export async function serve(store: Store | undefined): Promise<{ port: number; server: Server }> {
  const app = express()
  if (store !== undefined) {
    app.use(quietly(() => session({ store, secret: SECRET, resave: false, saveUninitialized: false })))
  }
  const answer = (content: Content | undefined) => (content?.field0 === undefined ? 'nobody' : 'welcome back')
  app.get('/', (req, res) => {
    res.send(store === undefined ? 'welcome back' : answer(req.session as Content))
  })
  app.get('/write', (req, res) => {
    const content = req.session as Content
    content.written = (content.written ?? 0) + 1
    res.send(answer(content))
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, server }
}

/** Suppresses a warning of express-session: MemoryStore is not meant for production, which is intended here. */
function quietly<T>(make: () => T): T {
  const { warn } = console
  console.warn = () => undefined
  try {
    return make()
  } finally {
    console.warn = warn
  }
}

/** The cookie of a session, as express-session signs it. */
export function cookieHeader(i: number): string {
  return `connect.sid=${encodeURIComponent(`s:${sign(sidOf(i), SECRET)}`)}`
}
