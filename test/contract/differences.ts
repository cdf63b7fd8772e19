/**
 * Everything in which `RedisStore` behaves unlike express-session's own `MemoryStore`. The contract suite asserts both
 * sides; whatever is not listed here has to be the same.
 */
const DIFFERENCES = {
  absent: {
    memory: undefined,
    redis: null,
    reason: 'express-session takes either; for those who await, null says "looked, and there is none"',
  },
  all: {
    memory: 'object by id',
    redis: 'array with id',
    reason: 'express-session documents an array, and connect-redis gives one, each session with its id',
  },
  listedIds: {
    memory: 'the id of the cookie',
    redis: 'the id of the cookie',
    reason: 'with `hashIds` Redis does not hold that id, so listings give the digest instead',
  },
  answers: {
    memory: 'callback',
    redis: 'callback and promise',
    reason: 'connect-redis gives promises too',
  },
  saveAfterEnd: {
    memory: 'brings it back',
    redis: 'writes nothing',
    reason: 'a slow request that ends after the logout must not log the visitor in again',
  },
  saveOfNothing: {
    memory: 'is stored',
    redis: 'is left out',
    reason:
      'without saveUninitialized, express-session sends no cookie for a new session that nobody has put anything in: nobody could come ' +
      'back to it, but logouts of visitors who are nobody (Passport saves and regenerates) would fill Redis',
  },
  overlappingSaves: {
    memory: 'the last one replaces all',
    redis: 'both survive',
    reason: 'two requests that change different properties must not lose either change',
  },
  longRequest: {
    memory: 'ends the session',
    redis: 'goes by originalMaxAge',
    reason:
      'a request that takes longer than maxAge leaves a past `expires` behind; its save must not log the visitor out',
  },
  savedPlainData: {
    memory: 'keeps its expiry',
    redis: 'slides',
    reason: 'what was loaded and saved again was used; `expires` in the loaded data is derived, not a deadline',
  },
  expiresOfLiveCookie: {
    memory: 'as saved',
    redis: 'from originalMaxAge',
    reason: 'a stored `expires` goes stale; derived from the time Redis saw the session it equals the end of the key',
  },
  touch: {
    memory: 'every time',
    redis: 'every touchInterval',
    reason: 'a read-only request costs one command; a changed cookie is written at once all the same',
  },
  ids: {
    memory: 'any text',
    redis: 'what id generators make',
    reason:
      'an id is user input: what can be no id is absent without asking Redis, and cannot be saved (CVE-2015-3982)',
  },
  protoProperty: {
    memory: 'kept',
    redis: 'dropped',
    reason: 'a property named __proto__ replaces the prototype of whatever it is copied to',
  },
  unserialisable: {
    memory: 'set throws',
    redis: 'error for the callback',
    reason: 'an exception out of the end of a response cannot be caught by any handler',
  },
  withoutCookie: {
    memory: 'createSession throws',
    redis: 'default cookie',
    reason: 'otherwise every request of that visitor fails for as long as the session lives',
  },
  saveOverNext: {
    memory: 'replaces it',
    redis: 'leaves it alone',
    reason:
      'a slow request of a session that has ended must not change the next one under its id; a string of connect-redis does not tell ' +
      'the one from the other',
  },
  size: {
    memory: 'unlimited',
    redis: 'maxBytes',
    reason: 'a session that grows without end is a mistake that would take Redis down',
  },
} as const

type Listed = typeof DIFFERENCES

/** What stores with certain options do instead. */
interface Others {
  listedIds: 'a digest'
  saveOverNext: 'adds its changes'
}

export type Differences = {
  [Name in keyof Listed]: Listed[Name]['memory' | 'redis'] | (Name extends keyof Others ? Others[Name] : never)
}

function column(side: 'memory' | 'redis'): Differences {
  return Object.fromEntries(Object.entries(DIFFERENCES).map(([name, row]) => [name, row[side]])) as Differences
}

export const MEMORY_STORE = column('memory')
export const REDIS_STORE = column('redis')
export const REDIS_STORE_WITH_HASHED_IDS: Differences = { ...REDIS_STORE, listedIds: 'a digest' }
export const REDIS_STORE_OF_STRINGS: Differences = {
  ...REDIS_STORE,
  savedPlainData: 'keeps its expiry',
  saveOverNext: 'adds its changes',
}

/** Everything in which `RedisStore` behaves unlike connect-redis 10. */
export const CONNECT_REDIS_DIFFERENCES = {
  ttlFunctionBesideMaxAge: {
    'connect-redis': 'function',
    RedisStore: 'cookie',
    reason: 'a cookie that outlives its session, or ends before it, helps nobody; `ttl` is for cookies without maxAge',
  },
  ttl0: {
    'connect-redis': 'a day',
    RedisStore: 'TypeError',
    reason: 'whoever writes 0 does not mean a day',
  },
  scanCount0: {
    'connect-redis': 'the default',
    RedisStore: 'TypeError',
    reason: 'Redis refuses COUNT 0',
  },
  emptyPrefix: {
    'connect-redis': 'every key',
    RedisStore: 'TypeError',
    reason: '`clear` would delete the whole database, and index keys could not be told from sessions',
  },
  unknownOption: {
    'connect-redis': 'ignored',
    RedisStore: 'TypeError',
    reason: 'a misspelt `ttl` must not go unnoticed',
  },
  prefix: {
    'connect-redis': 'pattern',
    RedisStore: 'text',
    reason: "`clear` with the prefix `a*b:` would delete another application's sessions",
  },
  serializerGets: {
    'connect-redis': 'session',
    RedisStore: 'each property',
    reason: 'one field per property; the cookie is kept apart',
  },
} as const
