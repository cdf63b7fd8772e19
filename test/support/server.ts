/*
 * The server of this test run. Tests use what all supported servers have, and ask here for what an older one lacks.
 */

const [NAME, VERSION = ''] = (process.env.TEST_SERVER ?? '').split(' ')
const [MAJOR = 0, MINOR = 0] = VERSION.split('.').map(Number)

/** Whether the server is Valkey. */
export const isValkey = NAME === 'Valkey'

/** Whether the server is at least this version of Redis. Valkey counts as Redis 7.2. */
export function isRedisSince(major: number, minor: number): boolean {
  if (NAME !== 'Redis') return true
  return MAJOR > major || (MAJOR === major && MINOR >= minor)
}

/** `test` if the server has what came with this version of Redis, else `test.skip`. Say in a comment what that is. */
export function testSince(major: number, minor: number): jest.It {
  return isRedisSince(major, minor) ? test : test.skip
}

/** Arguments of redis-server that allow DEBUG. Redis before 7.0 allows it always, and does not know the option. */
export const DEBUG_ARGS = isRedisSince(7, 0) ? ['--enable-debug-command', 'yes'] : []

/** Lets a user use any channel. Redis before 6.2 asks for no permission there, and does not know the rule. */
export const ANY_CHANNEL = isRedisSince(6, 2) ? ['&*'] : []

/** What the compact form of a hash is called in settings. Redis since 7.0 knows both names. */
export const COMPACT = isRedisSince(7, 0) ? 'listpack' : 'ziplist'
