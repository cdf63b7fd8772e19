import { isReached, type Results } from '../results.js'

/** The reasons for missed goals, as profiles (`node --cpu-prof`) have shown them. */
const FOUND: readonly (readonly [goal: RegExp, limit: string])[] = [
  [
    /^CPU of get \+ touch, 8 fields x 20 B$/,
    'ioredis needs two thirds of the time: it writes the command, decodes each of 18 texts of the reply, and settles a promise. What this library adds is a fifth.',
  ],
  [
    /^CPU of get \+ touch.*, near cache/,
    'Half of the time goes to what every store pays: express-session makes a `Session` and a `Cookie`, promises are settled, the event loop turns. The rest ' +
      'copies the session, as no request may see what another one does to its own.',
  ],
  [/^CPU of get \+ touch, 8 fields x 2 kB/, 'ioredis decodes eighteen texts instead of one.'],
  [
    /^CPU of a one-field write request.*near cache against none$/,
    'Redis tells a process of its own writes, too. Such a message cannot be told from one about a write of others, so it has to be read, and the session loaded again. A session ' +
      'that changes at every request is not cached; what is left is reading the messages.',
  ],
  [
    /^CPU of a one-field write request.*the command alone in Redis$/,
    'A save has to find the session alive and unchanged by others, which takes a script. Of 4.1 µs, an empty script takes 1.4, to compare one field 0.9, HSET 0.7, PEXPIRE 0.7, and the Lua ' +
      'between them 0.4; SET takes 0.9. To read a command and send the reply takes Redis over 5 µs more for either, which is not in these figures.',
  ],
  [
    /^CPU of a one-field write request.*Redis for a save$/,
    'Fifty saves arrive in one packet, so reading them and replying takes Redis little, and what runs the script shows: to run an empty one takes as long as the whole SET. Where each ' +
      'arrives by itself, a save takes Redis 8.2 µs and SET 6.4, 1.28x.',
  ],
  [
    /^CPU of a one-field write request/,
    'Half of it is the load: ioredis decodes eighteen texts instead of one. The other half has no large part any more: system calls are a sixth of all, ioredis a seventh, and what this library ' +
      'does is spread over sixty functions, none of which takes 4 %.',
  ],
  [
    /^p50 of a read-only Express request.*near cache$/,
    'A session that has not been asked for within `maxAge` is read from Redis, which one in so many requests meets.',
  ],
  [
    /^p50 of a read-only Express request/,
    'A visitor who comes alone finds an application whose code is not in the caches: the CPU of such a request, traced in the process, is 0.6 to 1.1 ms, and differs that much between rounds ' +
      'of one process; with MemoryStore it is 0.3 to 0.5 ms. The command, the reply and the way back from waiting are the difference.',
  ],
  [
    /^p99 under.*near cache$/,
    'Every other request changes a session, and one read in twenty finds its session changed and gets it from Redis, a round trip of 2.4 ms. Traced in the process, the slowest reads are these: one in ' +
      'nine meets a garbage collection (MemoryStore: six in ten), and p99 is 3.5 ms against 3.9. The rest passes before the process takes the request. Over four runs the ratio was 0.91x to 1.50x.',
  ],
  [
    /^p99 under/,
    'The slowest requests meet a garbage collection, nine in ten of this library and of connect-redis 10, seven to nine of connect-redis 8, and compute for most of their time: V8 marks what is in memory in ' +
      'threads that want the same core. It takes longer the more there is: with 3.4 MB of code of this library loaded beside it, connect-redis 8 takes 1.35x as long for reads and 1.2x for writes. So ' +
      'what an application does not use is not loaded; what the store itself needs are 2.2 MB. `±` says how far rounds lie apart.',
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
    /^Redis memory per session, nine fields/,
    'The growth of `used_memory` moves in steps of the allocator: over three runs 374 to 382 bytes for this library, 470 to 482 for connect-redis, so that the ratio falls to either side of the goal. ' +
      '`MEMORY USAGE`, which has no such steps, is 0.76x in each.',
  ],
  [
    /^Redis memory per session, Passport only/,
    "Of a session this small most is Redis's own: its key, the entry of its expiry and the object take the same in either form, and memory is given out in steps of 16 bytes. With no " +
      'bookkeeping at all the hash would still take 0.70x.',
  ],
  [
    /^Express requests\/s on one core/,
    'Beside MemoryStore, a store over Redis has a command to write and a reply to decode for each request: the column "for the session" shows it. Express and HTTP are the rest.',
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
