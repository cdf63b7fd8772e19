import { type AppOptions, createApp } from '../../example-app/app.js'
import { shopSessions } from '../../example-app/sessions.js'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import type { Visitor } from './visitor.js'

/** The shop on the run's Redis, with keys of its own. */
export function openShop(options: Partial<AppOptions> = {}) {
  const client = connect()
  const namespace = freshPrefix()
  const secret = 'a secret for tests, which is long enough'
  const app = createApp({ client, secret, namespace, ...options })
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
    newAddress: () => `person${++people}@example.org`,
    async close() {
      const left = [...(await keys('*')), ...(await client.keys(`idx:${namespace}*`))]
      if (left.length > 0) await client.del(left)
      await store.close()
      await client.quit()
    },
  }
}
