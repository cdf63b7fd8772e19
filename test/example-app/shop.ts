import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Redis } from 'ioredis'
import { type AppOptions, createShop } from '../../example-app/app.js'
import { shopSessions } from '../../example-app/sessions.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import type { Visitor } from './visitor.js'

/** The shop with keys of its own, on the run's Redis unless it gets another client. */
export function openShop({ client = connect(), ...options }: Partial<AppOptions> & { client?: Redis } = {}) {
  const namespace = freshPrefix()
  const secret = 'a secret for tests, which is long enough'
  const { app, upgrade, close: closeLive } = createShop({ client, secret, namespace, ...options })
  let server: Server | undefined
  // This store finds the same keys, like another process of the same shop.
  const { store, keyOf } = shopSessions({ client, secret, prefix: `${namespace}sess:`, behindTls: false })
  let people = 0

  const keys = (pattern: string) => client.keys(namespace + pattern)
  const keyOfVisitor = (visitor: Visitor) => keyOf(visitor.sessionId as string)
  return {
    app,
    client,
    namespace,
    secret,
    keys,
    keyOf: keyOfVisitor,
    sessionOf: (visitor: Visitor) => client.hgetall(keyOfVisitor(visitor)),
    /** The public name of the visitor's session, as the pages shorten it. */
    async nameOf(visitor: Visitor): Promise<string> {
      const info = await store.info(visitor.sessionId as string)
      if (info === null) throw new Error('this visitor has no session')
      return `${info.handle.slice(0, 8)}…`
    },
    /** Lets three minutes pass, in which the visitor does nothing. */
    letTimePass: (visitor: Visitor) => passTime(client, keyOfVisitor(visitor), 180_000),
    /** Listens as main.ts does. @returns its address, without a slash at the end */
    async listen(): Promise<string> {
      server = createServer(app).on('upgrade', upgrade).listen(0, '127.0.0.1')
      await once(server, 'listening')
      return `http://localhost:${(server.address() as AddressInfo).port}`
    },
    newAddress: () => `person${++people}@example.org`,
    closeLive,
    async close() {
      closeLive()
      server?.close()
      server?.closeAllConnections()
      const left = [...(await keys('*')), ...(await client.keys(`idx:${namespace}*`))]
      if (left.length > 0) await client.del(left)
      await store.close()
      await client.quit()
    },
  }
}
