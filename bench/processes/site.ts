import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { sign } from 'cookie-signature'
import express from 'express'
import session, { type Store } from 'express-session'
import { sidOf } from '../contents.js'

const SECRET = 'benchmark'

/** An Express application whose only route reads the session. */
export async function serve(store: Store): Promise<{ port: number; server: Server }> {
  const app = express()
  app.use(quietly(() => session({ store, secret: SECRET, resave: false, saveUninitialized: false })))
  app.get('/', (req, res) => {
    const { field0 } = req.session as unknown as { field0?: string }
    res.send(field0 === undefined ? 'nobody' : 'welcome back')
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
