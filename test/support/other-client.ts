import { isOnTestRedis, PATIENCE } from './patience.js'
import { isOfTests, siblingOf } from './siblings.js'
import { wrapped } from './wrapped.js'

/*
 * Replaces the library in `npm run test:node-redis`, `test:iovalkey` and `test:ioredis5`: each store on a client of
 * ioredis 6 gets a client of the other library instead. The tests keep theirs.
 */
export * from '../../src/index.js'

function onSibling<O>(options: O): O {
  const { client } = (options ?? {}) as { client?: unknown }
  if (!isOfTests(client)) return options
  return { ...(isOnTestRedis(client) && PATIENCE), ...options, client: siblingOf(client) }
}

export const { RedisStore, secureSession } = wrapped(onSibling)
