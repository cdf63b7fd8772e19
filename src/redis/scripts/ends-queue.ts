import { done, isOne, textAt, textsFrom } from './reply.js'
import { defineScript } from './script.js'

/** Delay for a session that is due already, because a process may just be checking it. */
const SOON_MS = 10_000

const NOW = `
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
`

/**
 * Stores when a session must be checked, because it will have ended.
 *
 * KEYS[1]   one of the queues              'idx:sess:@ends:3'
 * ARGV[1]   stored id                      'x3J…'
 * ARGV[2]   ms from now                    '1800000'
 * ARGV[3]   'exactly' = at that time
 *           'looked' = at that time, or earlier if a process has noted an earlier time since it was due
 *           'claimed' = at that time, if it is due: the process that has claimed it notes the time itself
 *           'expiry' = at that time, or earlier if already noted: a refused write must not postpone an ended session
 * ARGV[4]   ms by which the queue outlives its last entry
 *
 * returns   {1, text}   the time that is now noted
 */
export const SCHEDULE = defineScript(
  'schedule',
  `${NOW}
local queue = KEYS[1]
local id, in_ms, when, outlived_ms = unpack(ARGV, 1, 4)
local now = now_ms()
local at = now + tonumber(in_ms)
local known = when ~= 'exactly' and tonumber(redis.call('ZSCORE', queue, id) or '')
if when == 'claimed' and (not known or known > now) then return {1, ''} end
if known and when == 'expiry' then
  -- The noted time must change: the process that has told of the session before under this id drops that time.
  at = math.min(at, known > now + 1000 and known - 1 or now + ${SOON_MS})
elseif known and known > now then
  at = math.min(at, known)
end
if type(redis.pcall('ZADD', queue, string.format('%.0f', at), id)) ~= 'number' then
  -- Memory is full: do as redis/scripts/end.ts does. For 'expiry' the write that follows will be refused, too.
  if when ~= 'expiry' then redis.pcall('ZREM', queue, '') end
  redis.call('ZADD', queue, string.format('%.0f', at), id)
end
local last = redis.call('ZREVRANGE', queue, 0, 0, 'WITHSCORES')[2]
redis.pcall('PEXPIREAT', queue, string.format('%.0f', tonumber(last) + tonumber(outlived_ms)))
return {1, string.format('%.0f', at)}
`,
  (reply) => textAt(done(reply), 1),
)

/**
 * Returns the sessions that are due.
 *
 * KEYS[1]   one of the queues              'idx:sess:@ends:3'
 * ARGV[1]   maximum number                 '50'
 *
 * returns   {1, stored id, …}
 */
export const DUE = defineScript(
  'due',
  `${NOW}
local queue, most = KEYS[1], ARGV[1]
local due = redis.call('ZRANGEBYSCORE', queue, '-inf', string.format('%.0f', now_ms()), 'LIMIT', 0, most)
table.insert(due, 1, 1)
return due
`,
  (reply) => textsFrom(done(reply), 1),
)

/**
 * Removes a session that no longer needs to be checked.
 *
 * KEYS[1]   one of the queues              'idx:sess:@ends:3'
 * ARGV[1]   stored id                      'x3J…'
 * ARGV[2]   the noted time; with another time it stays. '' = remove it if its time has come
 *
 * returns   {1 | 0 dropped}
 */
export const UNSCHEDULE = defineScript(
  'unschedule',
  `${NOW}
local queue = KEYS[1]
local id, noted = unpack(ARGV, 1, 2)
local at = tonumber(redis.call('ZSCORE', queue, id) or '')
if not at then return {0} end
if noted == '' and at > now_ms() then return {0} end
if noted ~= '' and at ~= tonumber(noted) then return {0} end
return {redis.call('ZREM', queue, id)}
`,
  isOne,
)
