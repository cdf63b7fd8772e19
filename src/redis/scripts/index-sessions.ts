import { defineScript } from './script.js'

/**
 * Enters a session into an index, or prolongs its entry, and drops what has expired. The index lives as long as the
 * longest of its entries.
 *
 * KEYS[1]   index key                                'idx:sess:user:u-1'
 * ARGV[1]   stored id                                'x3J…'
 * ARGV[2]   ms the session may live, '' = for ever   '1800000'
 *
 * returns   {1}
 */
export const ENTER = defineScript(
  'enter',
  `local key, member = KEYS[1], ARGV[1]
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local ends = ARGV[2] == '' and math.huge or now + tonumber(ARGV[2])
-- Another request may have given the session more time.
local known = redis.call('ZSCORE', key, member)
if known then ends = math.max(ends, tonumber(known)) end
redis.call('ZADD', key, ends == math.huge and '+inf' or string.format('%.0f', ends), member)
redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. string.format('%.0f', now))
local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
if last == 'inf' then redis.pcall('PERSIST', key) else redis.pcall('PEXPIREAT', key, string.format('%.0f', tonumber(last))) end
return {1}
`,
)

/**
 * Ends a session and tells where it is to be found, for its entries to be dropped.
 *
 * KEYS[1]   session key                    'sess:x3J…'
 * ARGV[1]   only if it is found in this index …      'user', '' = in any case
 * ARGV[2]   … under this value                       'u-1'
 *
 * returns   {1, field, text, …}   ended; its index fields
 *           {0}                   there is none
 *           {5}                   it is not found there: left as it is
 */
export const END = defineScript(
  'end',
  `local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {0} end
local reply, isFound = {1}, ARGV[1] == ''
if kind == 'hash' then
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local name = string.match(all[i], '^@i:([^.]*)')
    if name then
      reply[#reply + 1], reply[#reply + 2] = all[i], all[i + 1]
      if name == ARGV[1] and string.gsub(all[i + 1], '^%d+:', '') == ARGV[2] then isFound = true end
    end
  end
end
if not isFound then return {5} end
redis.call('DEL', key)
return reply
`,
)
