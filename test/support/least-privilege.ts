import { Redis } from 'ioredis'
import { PATIENCE } from './patience.js'
import { wrapped } from './wrapped.js'

/*
 * Replaces the library in `npm run test:acl`: the stores on the Redis of the test run get a connection of their own, as a
 * user with only the documented permissions. The tests themselves still have all permissions.
 */
export * from '../../src/index.js'

function asUser<O>(options: O): O {
  const { client } = (options ?? {}) as { client?: unknown }
  if (!(client instanceof Redis) || client.options.path !== process.env.TEST_REDIS_SOCKET) return options
  // Leave clients alone that have a user of their own, or that the test uses itself.
  if (client.options.username != null || client.options.connectionName != null) return options
  return { ...PATIENCE, ...options, client: ownOf(client) }
}

const made = new WeakMap<Redis, Redis>()

/** Returns the connection of the stores on a client, one for all of them. It ends when the client does. */
function ownOf(client: Redis): Redis {
  const known = made.get(client)
  if (known !== undefined) return known
  const own = client.duplicate({ username: 'sessions', password: 'sessions' })
  made.set(client, own)
  own.on('error', () => {})
  client.once('end', () => own.disconnect())
  return own
}

export const { RedisStore, secureSession } = wrapped(asUser)
