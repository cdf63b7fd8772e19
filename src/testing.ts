/*
 * connect-redis-hash/testing: for the tests of applications. Nothing of it works with NODE_ENV=production.
 */
export { type LoginCookieOptions, loginCookie } from './testing/login-cookie.js'
export { passTime } from './testing/pass-time.js'
export { type PrivateRedis, type StartRedisOptions, startRedis } from './testing/start-redis.js'
