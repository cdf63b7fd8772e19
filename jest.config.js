import { availableParallelism } from 'node:os'
import { FILES, FILES_OF } from './test/support/other-clients.mjs'

/** What is about the very connection that a test has given to its store: not where stores have connections of their own. */
const ON_OWN_CLIENT = [
  'test/example-app/(pages|command-strip|two-requests|two-requests-browser)[.]test',
  'test/on-end/out-of-reach[.]test',
  'test/redis/(cork|replies|clients/send-raw)[.]test',
]

/** What meets one Redis at the other end of a line of its own, or asks what only one can do: not for a Cluster. */
const ON_ONE_REDIS = [
  'test/attack/',
  'test/contract/(connect-redis|connect-redis-versions|swap)[.]test',
  'test/middleware/save-before-response[.]test',
  'test/on-end/killed[.]test',
  'test/security/(interleavings|killed-moves|killed-process)[.]test',
  'test/session/(changing-form|flights|round-trips)[.]test',
]

/** What comes as ES modules only, which Jest cannot load as they are. */
const ES_MODULES = '/node_modules/(jose|superjson|copy-anything|is-what|@apidevtools/json-schema-ref-parser)/'

const isAcl = process.env.TEST_ON === 'acl'
const { TEST_CLIENT } = process.env
/** Where connectRedis makes clients of another library, too. */
const isOtherIoredis = TEST_CLIENT === 'iovalkey' || TEST_CLIENT === 'ioredis5'

/** @type {import('jest').Config} */
export default {
  runner: '<rootDir>/test/support/runner.mjs',
  testEnvironment: '<rootDir>/test/support/environment.mjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: [
    ...({ cluster: ON_ONE_REDIS, acl: ON_OWN_CLIENT }[process.env.TEST_ON] ?? []),
    ...(TEST_CLIENT === undefined ? [] : [...ON_OWN_CLIENT, ...FILES, ...(FILES_OF[TEST_CLIENT] ?? [])]),
  ],
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }],
    [`${ES_MODULES}.+\\.js$`]: ['@swc/jest', { jsc: { target: 'es2022' }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: [`/node_modules/(?!${ES_MODULES.slice('/node_modules/'.length)})`],
  // Nobody closes the connections that stores have there (test/support/least-privilege.ts).
  forceExit: isAcl || TEST_CLIENT !== undefined,
  moduleNameMapper: {
    '^connect-redis-hash$': `<rootDir>/test/support/${isAcl ? 'least-privilege' : TEST_CLIENT === undefined ? 'patient' : 'other-client'}.ts`,
    '^connect-redis-hash/(prometheus|opentelemetry)$': '<rootDir>/src/telemetry/$1.ts',
    '^connect-redis-hash/(.+)$': '<rootDir>/src/$1.ts',
    ...(isOtherIoredis && {
      '^(\\.|\\.\\./\\.\\./redis/connect)/library\\.js$': '<rootDir>/test/support/other-library.ts',
    }),
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // More than there are processors: much of the time goes by waiting for Redis and other processes.
  maxWorkers: 2 * availableParallelism(),
  // Jest kills a process that has not ended after half a second, which a busy machine may need.
  workerGracefulExitTimeout: 10_000,
  // It ends what hangs, and judges nothing: a machine that is busy with other things may take long. No test has one of its own.
  testTimeout: 300_000,
}
