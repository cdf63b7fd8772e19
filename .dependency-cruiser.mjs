/*
 * Which way imports go in src/. Each room may import from the rooms before it, and from itself.
 * `npm run check` fails on an import against this order, and on a circle; type imports count.
 */

/** The rooms in their order; a file of src/ itself that is named here counts as a room. */
const ROOMS = [
  {
    name: 'leaves',
    path: '^src/(errors|callback|store-promise|known-options|real-set-immediate|signed-cookie|warnings|http-error|operations)[.]ts$',
    why: 'what everybody may use imports nothing of ours but other leaves',
  },
  { name: 'ids', path: '^src/ids/', why: 'ids are text: they can be tested without Redis and without sessions' },
  { name: 'events', path: '^src/events[.]ts$', why: 'events name sessions by handles, which ids/ makes' },
  {
    name: 'hash',
    path: '^src/hash/',
    why: 'turning sessions into fields and back is pure: it can be tested without Redis',
  },
  { name: 'redis', path: '^src/redis/', why: 'commands and scripts know keys and texts, but no sessions' },
  {
    name: 'options',
    path: '^src/(options|session-info)[.]ts$',
    why: 'options name types of the rooms before; everything after reads them',
  },
  {
    name: 'session',
    path: '^src/session/',
    why: 'one session at its key works without any feature: features plug into its Context',
  },
  {
    name: 'features',
    path: '^src/(cache|indexes|merge|on-end|rotation|watch|admin)/',
    why: 'features build on sessions; a feature that is off is not there',
  },
  { name: 'requests', path: '^src/requests/', why: 'what a request adds builds on sessions and features' },
  {
    name: 'store',
    path: '^src/(event-store|store|store-context|store-health)[.]ts$',
    why: 'the store hands on to the rooms before it',
  },
  { name: 'applications', path: '^src/', why: 'middleware, routers and commands use the store' },
]

const before = (index) => ROOMS.slice(0, index).map(({ path }) => path)

/** A room must not import from a later one. */
const directions = ROOMS.slice(0, -1).map(({ name, path, why }, index) => ({
  name: `${name}-imports-only-what-comes-before`,
  comment: `${why}`,
  severity: 'error',
  from: { path, pathNot: before(index) },
  to: { path: '^src/', pathNot: [...before(index), path] },
}))

export default {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'files that import each other can only be understood, tested and changed together',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'only-adapters-know-a-client-library',
      comment: 'everything else works over any client: it knows the interface of src/redis/client.ts',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(redis/(clients|connect)|cli/doctor)/' },
      to: { path: '(^|/)(ioredis|iovalkey|redis|@redis/client)$|node_modules/(ioredis|iovalkey|redis|@redis)/' },
    },
    {
      name: 'only-telemetry-knows-its-libraries',
      comment: 'prom-client and @opentelemetry/api are optional: importing the package must not load them',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/telemetry/' },
      to: { path: '^src/telemetry/|prom-client|@opentelemetry/' },
    },
    ...directions,
  ],
  options: {
    // The parser that needs no TypeScript compiler; it sees type imports, too.
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
}
