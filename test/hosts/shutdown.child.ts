/**
 * A server process with a store that has everything switched on. Prints its port, then `begun` when the slow request
 * has arrived. It must end by itself.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import session from 'express-session'
import { RedisStore } from '../../src/index.js'
import { example } from '../support/markdown.js'
import { CACHE } from '../support/near-cache.js'
import { connectNodeRedis, connectNodeRedis5 } from '../support/node-redis.js'
import { connect } from '../support/redis.js'

const [prefix = '', library = '', ending = ''] = process.argv.slice(2)
const connectAny = { 'node-redis': connectNodeRedis, 'node-redis 5': connectNodeRedis5 }[library] ?? connect
const client = connectAny()
const store = new RedisStore({
  client,
  prefix,
  cache: CACHE,
  broadcast: true,
  replicas: 1,
  activity: true,
  indexes: { user: (held: { user?: string }) => held.user },
  limit: { index: 'user', max: 3, onExceed: 'evict' },
  onEnd: () => {},
} as never)

const app = express()
app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
app.get('/slow', async (req, res) => {
  console.log('begun')
  await once(process, 'SIGTERM')
  Object.assign(req.session, { user: 'ada' })
  res.end('done')
})
const server = app.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))

const closeClient = () => ('quit' in client ? client.quit() : client.close())
const endings: Record<string, () => unknown> = {
  // In the order that the documentation recommends.
  documented: () =>
    new Function(
      'process',
      'server',
      'store',
      'client',
      'setTimeout',
      example('docs/operations.md', 'run', 'shutdown'),
    ),
  'without store.close()': () => () => process.once('SIGTERM', () => server.close(() => void closeClient())),
  'store.close() first, and last the client': () => () =>
    process.once('SIGTERM', () => void store.close().then(() => server.close(() => void closeClient()))),
}
const listen = endings[ending]?.() as (...scope: unknown[]) => void
const giveUp = () => ('quit' in client ? client.disconnect() : client.destroy())
const soon = (call: () => void, ms: number) => setTimeout(call, ms / 10)
listen(process, server, store, { quit: closeClient, disconnect: giveUp }, soon)
