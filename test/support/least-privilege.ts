import { Redis } from 'ioredis'
import { PATIENCE } from './patience.js'
import { wrapped } from './wrapped.js'

/*
 * Replaces the library in `npm run test:acl`: each store on the Redis of the test run gets its own connection, as a
 * user with only the documented permissions. The tests themselves still have all permissions.
 */
export * from '../../src/index.js'

function asUser<O>(options: O): O {
  const { client } = (options ?? {}) as { client?: unknown }
  if (!(client instanceof Redis) || client.options.path !== process.env.TEST_REDIS_SOCKET) return options
  // Leave clients alone that have a user of their own, or that the test uses itself.
  if (client.options.username != null || client.options.connectionName != null) return options
  const own = client.duplicate({ username: 'sessions', password: 'sessions' })
  own.on('error', () => {})
  return { ...PATIENCE, ...options, client: own }
}

export const { RedisStore, secureSession } = wrapped(asUser)
