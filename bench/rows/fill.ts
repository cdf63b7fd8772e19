import type { Redis } from 'ioredis'
import { sidOf } from '../contents.js'

const BATCH = 5000
/** Number of sessions per user. */
export const EACH = 4
const LIFETIME_MS = 1_800_000
/** Stands for the name of the user in what is written. */
const USER = '{user}'

type Properties = Record<string, unknown>

/** Sessions, numbered, and how to write them. */
interface Filling {
  from?: number
  to: number
  /** Bookkeeping field of a session that the store has written; without it, sessions are strings like those of connect-redis. */
  template: string | undefined
  /** The session of a user. */
  content?: (userId: string) => Properties
}

/**
 * ARGV: when the sessions end, the first number, the last one, sessions per user, a session id, then either the text of a string, or
 * fields and values of a hash.
 */
const FILL = `
local ends, from, to, each, first = unpack(ARGV, 1, 5)
local sample = {unpack(ARGV, 6)}
for i = tonumber(from), tonumber(to) do
  local user = 'other-' .. math.floor(i / each)
  local digits = string.format('%d', i)
  local id = first:sub(1, #first - #digits) .. digits
  local key = 'sess:' .. id
  local session = {}
  for n, text in ipairs(sample) do session[n] = text:gsub('${USER}', user) end
  if #sample == 1 then
    redis.call('SET', key, session[1], 'PXAT', ends)
  else
    redis.call('HSET', key, unpack(session))
    redis.call('PEXPIREAT', key, ends)
    redis.call('ZADD', 'idx:sess:user:' .. user, ends, id)
    redis.call('PEXPIREAT', 'idx:sess:user:' .. user, ends)
  end
end`

const SMALL = (userId: string): Properties => ({ userId, name: 'Ada', visits: 17 })

/**
 * Writes sessions of other users in the format of the store, by a script in Redis: a million sessions written through the
 * store would take a quarter of an hour.
 */
export async function fill(
  db: Redis,
  { from = 0, to, template, content = SMALL }: Filling,
  onProgress: (done: number) => void,
): Promise<void> {
  const ends = Date.now() + LIFETIME_MS
  const sample = template === undefined ? [stringOf(content(USER))] : hashOf(template, content(USER))
  for (let at = from; at < to; at += BATCH) {
    const next = Math.min(at + BATCH, to)
    await db.eval(FILL, 0, ends, at, next - 1, EACH, sidOf(0), ...sample)
    onProgress(next)
  }
}

function stringOf(properties: Properties): string {
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
  return JSON.stringify({ cookie, ...properties })
}

function hashOf(template: string, properties: Properties): string[] {
  const fields = Object.entries(properties).map(([name, value]) => [name, JSON.stringify(value)])
  return ['@', template, ...fields.flat(), '@i:user', USER]
}

/** Returns the bookkeeping field of a session that the store has just written. Empties the database. */
export async function templateOf(db: Redis): Promise<string> {
  const [key] = await db.keys('sess:*')
  const template = await db.hget(key as string, '@')
  await db.flushdb()
  if (template === null) throw new Error('the store has written no bookkeeping')
  return template
}
