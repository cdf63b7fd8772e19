/*
 * What cannot be meant for stores that have a client of another library than the test (test/support/siblings.ts):
 * `npm run test:node-redis`, `test:iovalkey` and `test:ioredis5` leave it out. The reason stands with each.
 */

/** @typedef {'node-redis' | 'iovalkey' | 'ioredis5'} Library */

/** Test files for no other client, beside those that are about the very connection that the test holds (jest.config.js). */
export const FILES = [
  // About settings and methods of ioredis 6.
  'test/redis/(client-settings|connect/|clients/send-raw)',
  // They change options of the test's client while it runs, for example its password.
  // test/redis/clients has the same for node-redis.
  'test/faults/side-connections(-cluster|-sentinel)?[.]test',
]

/** Test files that are not for one library. @type {Readonly<Record<string, readonly string[]>>} */
export const FILES_OF = {
  'node-redis': [
    // Its clients differ in settings of ioredis, and it looks into their queues. test/redis/clients has faults of one Redis.
    'test/faults/(outage|connect-redis)[.]test',
  ],
}

/** Single tests for no other client, by a part of their name. */
export const TESTS = [
  // It stops the line when the test's client sends a certain command.
  'if Redis goes away in the middle of a walk',
  // They wait for something that the test's client does.
  'a session that begins while the client leaves a replica is kept',
  'is no such save if it has waited for the connection',
  // It counts timers, and siblings of clients of earlier tests may still be trying to connect.
  'leaves nothing behind in this process: no timer, no command in the queue',
  // The store mends what its client forgets, and this is about the test's client.
  'a client of ioredis itself, under a store that has quit',
]

/** Single tests that are not for one library, by a part of their name. @type {Readonly<Record<string, readonly string[]>>} */
export const TESTS_OF = {
  'node-redis': [
    // node-redis sends nothing again.
    'a first save that is sent again',
    'a save that is sent again, as its answer was lost',
  ],
}
