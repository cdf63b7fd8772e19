import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { freePort } from '../../src/testing/free-port.js'
import { answerCalls } from './remote.js'

/** Runs an embedded PostgreSQL (PGlite) behind a socket, for connect-pg-simple. */
const handlers = {
  async open(_: null): Promise<number> {
    const port = await freePort()
    const server = new PGLiteSocketServer({ db: await PGlite.create(), port, host: '127.0.0.1', maxConnections: 100 })
    await server.start()
    return port
  },
}

export type SqlHandlers = typeof handlers
answerCalls(handlers)
