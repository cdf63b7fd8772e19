import * as ioredis5 from 'ioredis5'
import * as iovalkey from 'iovalkey'

/*
 * Takes the place of src/redis/connect/library.ts in `npm run test:iovalkey` and `test:ioredis5`: connectRedis and the
 * command line work there as in an application that has installed only that library.
 */
export * from '../../src/redis/connect/library.js'

export function library(): unknown {
  return process.env.TEST_CLIENT === 'iovalkey' ? iovalkey : ioredis5
}
