import { isReached, type Results } from '../results.js'

/** The reasons for missed goals, as profiles (`node --cpu-prof`) have shown them. */
const FOUND: readonly (readonly [goal: RegExp, limit: string])[] = [
  [
    /^CPU of get \+ touch, 8 fields x 20 B$/,
    'ioredis needs two thirds of the time: it writes the command, decodes each of 18 texts of the reply, and settles a promise. What this library adds is a fifth.',
  ],
  [
    /^CPU of get \+ touch, 8 fields x 20 B, near cache$/,
    'Two fifths of the time go to what every store pays: express-session makes a `Session` and a `Cookie`, promises are settled, the event loop turns. The rest ' +
      'copies the session, as no request may see what another one does to its own. MemoryStore, which asks nobody either, takes longer.',
  ],
  [/^CPU of get \+ touch, 8 fields x 2 kB$/, 'ioredis decodes eighteen texts instead of one.'],
  [
    /^CPU of a one-field write request.*20 B$/,
    'A save has to find the session alive and unchanged by others, so it is a script with fourteen arguments, each of which ioredis writes by itself. connect-redis sends one ' +
      'string and overwrites what is there.',
  ],
  [
    /^CPU of a one-field write request.*2 kB$/,
    'V8 finds that objects of the sessions saved first live long and makes all later ones old from birth (allocation site pretenuring). What they refer to then waits for full garbage ' +
      'collections, two fifths of the time. Whether it does depends on what the process did before: with `--no-allocation-site-pretenuring`, or in a process that has begun differently, the row comes to about 0.5x.',
  ],
  [
    /^p50 of a read-only Express request, Redis 1 ms away each way$/,
    'One round trip instead of two halves what the distance adds. HTTP, Express and the way through the proxy stay the same, and are the larger part of what is above a half.',
  ],
  [
    /^p50 of a read-only Express request.*near cache$/,
    'A session that has not been asked for within `maxAge` is read from Redis, which one in so many requests meets.',
  ],
  [
    /^Redis memory over 500 shapes.*default settings/,
    'One value of over 64 bytes makes Redis give up the compact form for the whole session, which doubles what it takes; the line of bare fields shows the same. With `hash-max-listpack-value 512` ' +
      'such a session stays compact.',
  ],
  [
    /^Redis memory over 500 shapes.*session cookie/,
    "The line of bare fields, a hash with no bookkeeping at all, comes close to the goal itself: Redis's own part of a key is the same in either form. The bookkeeping (`@`) takes the rest, some 26 bytes.",
  ],
  [
    /^Redis memory per session, Passport only/,
    "Of a session this small most is Redis's own: its key, the entry of its expiry and the object take the same in either form, and memory is given out in steps of 16 bytes. With no " +
      'bookkeeping at all the hash would still take 0.70x.',
  ],
  [
    /^Express requests\/s on one core, read-only$/,
    'The store is a tenth of a request; Express, express-session and HTTP are the rest. Even MemoryStore, which asks nobody, does not get there.',
  ],
  [
    /^Express requests\/s on one core, read-only, near cache$/,
    'Both leave nine tenths of the work to Express, express-session and HTTP; what is left differs by less than the rounds do.',
  ],
]

/** Returns a sentence for each missed goal. */
export function limitsOf({ measurements }: Results): string[] {
  const missed = measurements.flatMap(({ goals }) => goals).filter((goal) => isReached(goal) === false)
  return missed.map(({ what }) => {
    const [, limit] = FOUND.find(([goal]) => goal.test(what)) ?? []
    return `- ${what}: ${limit ?? 'not profiled yet.'}`
  })
}
