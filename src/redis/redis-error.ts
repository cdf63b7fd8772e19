import { type SessionErrorCode, SessionStoreError } from '../errors.js'

/** Error codes of the Redis protocol: the first word of an error reply. */
const BY_REPLY_CODE: Readonly<Record<string, readonly [SessionErrorCode, string]>> = {
  LOADING: ['ERR_SESSION_UNAVAILABLE', 'Redis is loading its data'],
  CLUSTERDOWN: ['ERR_SESSION_UNAVAILABLE', 'the Redis Cluster is down'],
  MASTERDOWN: ['ERR_SESSION_UNAVAILABLE', 'the replica has lost its master'],
  TRYAGAIN: ['ERR_SESSION_UNAVAILABLE', 'the Redis Cluster is moving this slot'],
  BUSY: ['ERR_SESSION_UNAVAILABLE', 'Redis is busy running a script'],
  READONLY: ['ERR_SESSION_READONLY', 'this Redis is a read-only replica'],
  NOREPLICAS: ['ERR_SESSION_NO_REPLICAS', 'Redis refuses writes: too few replicas (min-replicas-to-write)'],
  MISCONF: ['ERR_SESSION_PERSISTENCE', 'Redis refuses writes: it cannot save to disk'],
  OOM: ['ERR_SESSION_OUT_OF_MEMORY', 'Redis refuses writes: maxmemory is reached'],
  NOPERM: ['ERR_SESSION_FORBIDDEN', 'the Redis user lacks a permission'],
  NOAUTH: ['ERR_SESSION_FORBIDDEN', 'Redis asks for authentication'],
  WRONGPASS: ['ERR_SESSION_FORBIDDEN', 'Redis refused the user name or password'],
}

/** Redis before 5.0 behaves like this, and later ones with a setting that Redis 7.0 has dropped. */
const NO_EFFECTS =
  'Redis refuses scripts that ask for the time and then write: set lua-replicate-commands to yes, or use Redis 6.0 or later'

/** What ioredis and node-redis say when nodes have sent a command to and fro too often. Neither gives it a code. */
const REDIRECTED = /^Too many Cluster redirections/

/** The protocol's own code of an error reply, e.g. `WRONGTYPE`; `''` for anything that is not an error reply. */
export function replyCode(err: unknown): string {
  if (!(err instanceof Error)) return ''
  if (err.name === 'ReplyError') return /^-?([A-Z]+)\b/.exec(err.message)?.[1] ?? ''
  // Error replies of node-redis have a class, but no name of their own. No other error of it begins with capitals.
  if (err.name !== 'Error' || 'code' in err) return ''
  return /^([A-Z]{2,})(?: |$)/.exec(err.message)?.[1] ?? ''
}

/**
 * Scripts report an inner failure inside another error's text; the inner code is what tells the caller what to do.
 * Redis < 7 says "ERR Error running script ... OOM command not allowed", Redis >= 7 passes the inner error on.
 */
function innerCode(message: string): string | undefined {
  // The wordings of Redis 6, Redis 7.0, and Redis 7.2, 8 and Valkey.
  if (/can't (run this command|access)|no permissions|acl failure/i.test(message)) return 'NOPERM'
  // Before a login, Redis refuses large commands in these words: node-redis sends them right behind its login.
  if (/unauthenticated (multi)?bulk length/i.test(message)) return 'NOAUTH'
  return Object.keys(BY_REPLY_CODE).find((code) => message.includes(`${code} `))
}

/** Whether the server is a read-only replica. Redis < 7 says so of a script inside another error's text. */
export function isReadOnly(err: unknown): boolean {
  const code = replyCode(err)
  return code === 'READONLY' || (code === 'ERR' && innerCode((err as Error).message) === 'READONLY')
}

/**
 * Converts an error of ioredis. Such errors contain the command's arguments, and some messages of Redis repeat them:
 * keys, ids and session data. The result has only the code, the class of the error, and the name of the command.
 */
export function fromRedis(err: unknown, command: string, isConnected: boolean): SessionStoreError {
  if (err instanceof Error && err.name === 'SessionStoreError') return err as SessionStoreError
  const code = replyCode(err)
  const cause = new Error(describe(err, code))
  // ioredis could not build the command, so nothing was sent.
  if (err instanceof RangeError || err instanceof TypeError) {
    return new SessionStoreError('ERR_SESSION_REDIS', `the command could not be sent (${command})`, { cause })
  }
  // The error of ioredis's `commandTimeout` has no code.
  if (isConnected && err instanceof Error && err.message === 'Command timed out') {
    return new SessionStoreError('ERR_SESSION_TIMEOUT', `Redis did not answer in time (${command})`, { cause })
  }
  if (code === '' && err instanceof Error && REDIRECTED.test(err.message)) {
    const what = 'the Redis Cluster names no node that serves this slot'
    return new SessionStoreError('ERR_SESSION_UNAVAILABLE', `${what} (${command})`, { cause })
  }
  if (code === '') {
    return new SessionStoreError('ERR_SESSION_UNAVAILABLE', `no connection to Redis (${command})`, {
      cause,
    })
  }
  const unknown = /unknown (?:sub)?command\W+([a-z|]+)/i.exec((err as Error).message)?.[1]
  if (code === 'ERR' && unknown !== undefined && unknown !== 'called') return disabled(unknown, cause)
  if (/non deterministic commands/.test((err as Error).message)) {
    return new SessionStoreError('ERR_SESSION_REDIS', NO_EFFECTS, { cause })
  }
  const known = BY_REPLY_CODE[code] ?? BY_REPLY_CODE[innerCode((err as Error).message) ?? '']
  if (known === undefined) {
    return new SessionStoreError('ERR_SESSION_REDIS', `Redis answered ${code} to ${command}`, { cause })
  }
  return new SessionStoreError(known[0], `${known[1]} (${command})`, { cause })
}

/** @param command name of the command, without arguments */
function disabled(command: string, cause?: Error): SessionStoreError {
  const why = 'it is disabled or renamed (rename-command), or this Redis is older than 6.0'
  return new SessionStoreError(
    'ERR_SESSION_REDIS',
    `Redis does not know the command ${command.toUpperCase()}: ${why}`,
    cause && { cause },
  )
}

/**
 * Names the command that failed inside a script. Redis reports only its line.
 *
 * @param lua text of the script
 * @returns the given error if it is not about a command
 */
export function inScript(err: unknown, lua: string): unknown {
  const { message } = err as Error
  const line = Number(/user_script:\s*(\d+)/.exec(message)?.[1])
  const command = /redis\.p?call\('(\w+)'/.exec(lua.split('\n')[line - 1] ?? '')?.[1]
  if (replyCode(err) === '' || command === undefined) return err
  // Redis says "Unknown Redis command called from script"; Valkey omits the word "Redis".
  if (/unknown (\w+ )?command called/i.test(message)) return disabled(command, new Error(describe(err, 'ERR')))
  return innerCode(message) === 'NOPERM' ? fromRedis(err, command.toUpperCase(), true) : err
}

function describe(err: unknown, code: string): string {
  if (code !== '') return `ReplyError ${code}`
  if (!(err instanceof Error)) return 'unknown error'
  const system = (err as NodeJS.ErrnoException).code
  return typeof system === 'string' ? `${err.name} ${system}` : err.name
}
