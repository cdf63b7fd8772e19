import { fromRedis } from '../../src/redis/redis-error.js'

test.each([
  ['ioredis', 'Too many Cluster redirections. Last error: ReplyError: MOVED 1 127.0.0.1:7000 sess:secret'],
  ['node-redis', 'Too many Cluster redirections'],
])('nodes of a Cluster that send a command to and fro, as %s puts it: an error that says so', (_library, text) => {
  const err = fromRedis(new Error(text), 'HGETALL', true)
  expect(err).toMatchObject({ code: 'ERR_SESSION_UNAVAILABLE', status: 503 })
  expect(err.message).toBe('the Redis Cluster names no node that serves this slot (HGETALL)')
  expect(String((err.cause as Error).message)).not.toContain('secret')
})

test('a connection that is lost: the error says that there is none', () => {
  const err = fromRedis(new Error('Connection is closed.'), 'HGETALL', false)
  expect(err.message).toBe('no connection to Redis (HGETALL)')
})
