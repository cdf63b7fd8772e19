import { Redis } from 'ioredis'
import * as library from '../../src/index.js'

/*
 * The library, for `npm run test:acl`: each store on the run's own Redis gets a connection of its own, as a user who may do
 * what the documentation says that a store needs, and nothing else. The tests themselves look at Redis as they always do.
 */
export * from '../../src/index.js'

function asUser<O>(options: O): O {
  const { client } = (options ?? {}) as { client?: unknown }
  if (!(client instanceof Redis) || client.options.path !== process.env.TEST_REDIS_SOCKET) return options
  // A user of its own, or a connection that the test goes on using itself.
  if (client.options.username != null || client.options.connectionName != null) return options
  const own = client.duplicate({ username: 'sessions', password: 'sessions' })
  own.on('error', () => {})
  return { ...options, client: own }
}

export class RedisStore extends library.RedisStore {
  constructor(options: library.RedisStoreOptions) {
    super(asUser(options))
  }
}

export const secureSession: typeof library.secureSession = (options) => library.secureSession(asUser(options))
