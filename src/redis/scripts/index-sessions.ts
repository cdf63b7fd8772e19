import { defineScript } from './script.js'

/** An entry that ends sooner than this may be that of a session which is only being created. */
export const PENDING_MS = 10_000

const INDEX = `
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function text(ms)
  return ms == math.huge and '+inf' or string.format('%.0f', ms)
end

-- Drops what has expired; the index lives as long as the longest of its entries.
local function prune(key, now)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. text(now))
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  if last == 'inf' then redis.pcall('PERSIST', key)
  elseif last then redis.pcall('PEXPIREAT', key, text(tonumber(last))) end
end
`

/**
 * Enters a session into an index, or prolongs its entry.
 *
 * KEYS[1]   index key                                'idx:sess:user:u-1'
 * ARGV[1]   stored id                                'x3J…'
 * ARGV[2]   ms the session may live, '' = for ever   '1800000'
 * ARGV[3]   1 = only if it is there
 *
 * returns   {1}
 *           {0}   it is not there
 */
export const ENTER = defineScript(
  'enter',
  `${INDEX}
local key, member = KEYS[1], ARGV[1]
local now = now_ms()
local ends = ARGV[2] == '' and math.huge or now + tonumber(ARGV[2])
-- Another request may have given the session more time. The score always changes: whoever is about to drop the entry of a
-- session that has left the index (DROP) finds out that it has come back.
local known = redis.call('ZSCORE', key, member)
if known then ends = math.max(ends, tonumber(known) + 1) elseif ARGV[3] == '1' then return {0} end
redis.call('ZADD', key, text(ends), member)
prune(key, now)
return {1}
`,
)

/**
 * Enters a session that is about to be created into an index that may hold only so many.
 *
 * KEYS[1]   index key                                'idx:sess:user:u-1'
 * ARGV[1]   stored id                                'x3J…'
 * ARGV[2]   ms after which the entry is given up     '10000'
 * ARGV[3]   how many there may be                    '3'
 * ARGV[4]   number of stored ids n that it takes the place of
 * ARGV[5…]  n stored ids; then those that may be dropped to make room, in this order
 *
 * returns   {1}                     it is there already
 *           {1, n, stored id, …}    entered; how many others there are, and what was dropped
 *           {3, n, stored id, …}    there is no room; the same
 */
export const ADMIT = defineScript(
  'admit',
  `${INDEX}
local key, member, max, n = KEYS[1], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. text(now))
local known = redis.call('ZSCORE', key, member)
if known then
  -- As in ENTER: an entry that is about to be dropped must be seen to be wanted again.
  redis.call('ZADD', key, text(tonumber(known) + 1), member)
  return {1}
end
local count = redis.call('ZCARD', key)
for i = 5, 4 + n do
  if redis.call('ZSCORE', key, ARGV[i]) then count = count - 1 end
end
local reply = {1, 0}
for i = 5 + n, #ARGV do
  if count < max then break end
  if redis.call('ZREM', key, ARGV[i]) == 1 then
    count = count - 1
    reply[#reply + 1] = ARGV[i]
  end
end
if count < max then redis.call('ZADD', key, text(now + tonumber(ARGV[2])), member) else reply[1] = 3 end
reply[2] = count
prune(key, now)
return reply
`,
)

/**
 * Drops an entry whose session was not found, or has left the index, unless that session may be just about to be created, or has
 * been entered again since.
 *
 * KEYS[1]   index key        'idx:sess:user:u-1'
 * ARGV[1]   stored id        'x3J…'
 * ARGV[2]   its score when the session was not found; with another one it stays
 * ARGV[3]   ms from now      '10000'; an entry that ends within them stays. '' = none stays for that
 *
 * returns   {1}   dropped
 *           {0}   it stays, or there is none
 */
export const DROP = defineScript(
  'drop',
  `${INDEX}
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return {0} end
if ARGV[3] ~= '' and tonumber(score) - now_ms() <= tonumber(ARGV[3]) then return {0} end
return {redis.call('ZREM', KEYS[1], ARGV[1])}
`,
)
