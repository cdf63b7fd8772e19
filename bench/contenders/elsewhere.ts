import session from 'express-session'
import { type Contender, TTL } from './contender.js'

export const postgres: Contender = {
  name: 'connect-pg-simple',
  title: 'connect-pg-simple, PGlite',
  server: 'sql',
  packages: ['connect-pg-simple', 'pg', '@electric-sql/pglite'],
  async open({ sqlPort }) {
    const [{ default: pg }, { default: makeStore }] = await Promise.all([import('pg'), import('connect-pg-simple')])
    // PGlite runs one query at a time; more connections would only wait for each other.
    const pool = new pg.Pool({ host: '127.0.0.1', port: sqlPort, user: 'postgres', database: 'postgres', max: 1 })
    pool.on('error', () => undefined)
    const store = new (makeStore(session))({
      pool,
      ttl: TTL,
      createTableIfMissing: true,
      pruneSessionInterval: false,
    })
    return { store }
  },
}

export const files: Contender = {
  name: 'session-file-store',
  title: 'session-file-store',
  server: 'files',
  packages: ['session-file-store'],
  async open({ directory }) {
    const { default: makeStore } = await import('session-file-store')
    const options = { path: directory, ttl: TTL, reapInterval: -1, logFn: () => undefined }
    return { store: new (makeStore(session))(options) }
  },
}
