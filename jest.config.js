/** What meets one Redis at the other end of a line of its own, or asks what only one can do: not for a Cluster. */
const ON_ONE_REDIS = [
  'test/attack/',
  'test/contract/(connect-redis|swap)[.]test',
  'test/middleware/save-before-response[.]test',
  'test/on-end/killed[.]test',
  'test/security/(interleavings|killed-process)[.]test',
  'test/storage/round-trips[.]test',
]

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: process.env.TEST_ON === 'cluster' ? ON_ONE_REDIS : [],
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }] },
  moduleNameMapper: {
    '^connect-redis-hash$': '<rootDir>/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // Most of the time goes by waiting for Redis and other processes.
  maxWorkers: '100%',
  testTimeout: 15_000,
}
