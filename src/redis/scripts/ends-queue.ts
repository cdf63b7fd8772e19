import { defineScript } from './script.js'

const NOW = `
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
`

/**
 * Notes when a session is to be looked at, because it will have ended.
 *
 * KEYS[1]   one of the queues              'idx:sess:@ends:3'
 * ARGV[1]   stored id                      'x3J…'
 * ARGV[2]   ms from now                    '1800000'
 * ARGV[3]   1 = then; 0 = then, or later if somebody has said so
 * ARGV[4]   ms by which the queue outlives the last of them
 *
 * returns   {1, text}   the time that is noted
 */
export const SCHEDULE = defineScript(
  'schedule',
  `${NOW}
local at = now_ms() + tonumber(ARGV[2])
if ARGV[3] == '0' then at = math.max(at, tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)) end
redis.call('ZADD', KEYS[1], string.format('%.0f', at), ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.pcall('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last) + tonumber(ARGV[4])))
return {1, string.format('%.0f', at)}
`,
)

/**
 * Which sessions are to be looked at.
 *
 * KEYS[1]   one of the queues              'idx:sess:@ends:3'
 * ARGV[1]   how many at most               '50'
 *
 * returns   {1, stored id, …}
 */
export const DUE = defineScript(
  'due',
  `${NOW}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now_ms()), 'LIMIT', 0, ARGV[1])
table.insert(due, 1, 1)
return due
`,
)

/**
 * Drops what nobody has to look at any more.
 *
 * KEYS[1]   one of the queues              'idx:sess:@ends:3'
 * ARGV[1]   stored id                      'x3J…'
 * ARGV[2]   the time that is noted; with another one it stays. '' = if that has come
 *
 * returns   {1 | 0 dropped}
 */
export const UNSCHEDULE = defineScript(
  'unschedule',
  `${NOW}
local at = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '')
if not at then return {0} end
if ARGV[2] == '' and at > now_ms() then return {0} end
if ARGV[2] ~= '' and at ~= tonumber(ARGV[2]) then return {0} end
return {redis.call('ZREM', KEYS[1], ARGV[1])}
`,
)
