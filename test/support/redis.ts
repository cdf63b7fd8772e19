import { randomBytes } from 'node:crypto'
import { Redis, type RedisOptions } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'

/** `replyMapping` would change the client's type. */
type Options = Omit<RedisOptions, 'replyMapping'>

/** Path of the run's own Redis. */
export function socketPath(): string {
  const path = process.env.TEST_REDIS_SOCKET
  if (!path) throw new Error('no Redis for this run: start the tests with `npm test`')
  return path
}

/** A client on it. */
export function connect(options: Options = {}): Redis {
  return new Redis(socketPath(), options)
}

/** The same through ioredis 5. */
export function connect5(options: Options = {}): Redis {
  return new Redis5(socketPath(), options as never) as unknown as Redis
}

/** A prefix no other test uses, so that files can share one Redis. */
export function freshPrefix(): string {
  return `t${randomBytes(6).toString('hex')}:`
}
