import { createApp } from '../../example-app/app.js'
import { connect, freshPrefix } from '../support/redis.js'
import type { Visitor } from './visitor.js'

/** The shop on the run's Redis, with keys of its own. */
export function openShop() {
  const client = connect()
  const namespace = freshPrefix()
  const secret = 'a secret for tests'
  const app = createApp({ client, secret, namespace })
  let people = 0

  const keys = (pattern: string) => client.keys(namespace + pattern)
  const keyOf = (visitor: Visitor) => `${namespace}sess:${visitor.sessionId}`
  return {
    app,
    client,
    namespace,
    secret,
    keys,
    keyOf,
    sessionOf: (visitor: Visitor) => client.hgetall(keyOf(visitor)),
    newAddress: () => `person${++people}@example.org`,
    async close() {
      const left = await keys('*')
      if (left.length > 0) await client.del(left)
      await client.quit()
    },
  }
}
