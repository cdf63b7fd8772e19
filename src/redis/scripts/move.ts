import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/*
 * The four steps that move a session from one key to another, each on one key (session/move.ts says why it is safe).
 * Flag Z: the session is leaving this key, which is no longer written. Flag Y: it is arriving, and not there yet.
 */

/**
 * Stops all writing of a session that is to move, and reads it.
 *
 * KEYS[1]   old session key        'sess:x3J…'
 * ARGV[1]   absolute timeout, ms, '' = none
 * ARGV[2]   stored id it moves to    'Pq0…'
 *
 * returns   {1, '@' text without Z, PTTL, field, text, …}
 *           {0}    nothing to move: no session, or one that is itself only arriving
 *           {3}    a string: connect-redis's, to be converted first
 *           {6}    stays where it is: Redis may not set a TTL, or it came here less than a minute ago
 *           {-1}   the key is none of ours
 */
export const LEAVE = defineScript(
  'leave',
  `${BOOKKEEPING}
local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {0} end
if kind == 'string' then return {3} end
if kind ~= 'hash' then return {-1} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s then return {-1} end
if has_flag(s, 'Y') or is_over(s, now_us(), ARGV[1]) then return {0} end
if has_flag(s, 'X') then return {6} end
local moved = tonumber(redis.call('HGET', key, '@moved') or '0') or 0
if math.abs(now_us() / 1000000 - moved) < 60 then return {6} end
s.flags = string.gsub(s.flags, 'Z', '')
local plain = format(s)
s.flags = s.flags .. 'Z'
redis.call('HSET', key, '@', format(s), '@to', ARGV[2])
local reply = {1, plain, redis.call('PTTL', key)}
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  if all[i] ~= '@' and all[i] ~= '@moved' and all[i] ~= '@to' then
    reply[#reply + 1] = all[i]
    reply[#reply + 1] = all[i + 1]
  end
end
return reply
`,
)

/**
 * Puts a copy under the new key that nobody sees yet, unless there is one already.
 *
 * KEYS[1]   new session key        'sess:Pq0…'
 * ARGV[1]   '@' text
 * ARGV[2]   token                  'b3J…', names this copy
 * ARGV[3]   ms until it is given up
 * ARGV[4…]  field, text, …
 *
 * returns   {1, token}   of the copy that is there now, this one or an earlier one
 *           {2}          the session is there already
 *           {5}          it is just leaving that key, or one before under this id waits for onEnd: come again
 *           {-1}         the key is none of ours
 */
export const ARRIVE = defineScript(
  'arrive',
  `${BOOKKEEPING}
local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind == 'hash' then
  local s = parse(redis.call('HGET', key, '@') or '')
  if not s then return {-1} end
  if has_flag(s, 'Z') or has_flag(s, 'E') then return {5} end
  if not has_flag(s, 'Y') then return {2} end
  return {1, redis.call('HGET', key, '@move') or ''}
end
if kind ~= 'none' then return {-1} end
local s = parse(ARGV[1])
s.flags = s.flags .. 'Y'
local fields = slice(4, #ARGV)
-- What is encrypted anew, or for the first time, may have another length.
s.size = base36(weigh(fields))
table.insert(fields, 1, ARGV[2])
table.insert(fields, 1, '@move')
table.insert(fields, 1, format(s))
table.insert(fields, 1, '@')
hset(key, fields)
redis.pcall('PEXPIRE', key, ARGV[3])
return {1, ARGV[2]}
`,
)

/**
 * Makes the copy the session.
 *
 * KEYS[1]   new session key        'sess:Pq0…'
 * ARGV[1]   token of the copy      'b3J…'
 * ARGV[2]   its TTL, ms; -1 = none
 *
 * returns   {1}    it is the session now
 *           {0}    there is no such copy any more
 */
export const SETTLE = defineScript(
  'settle',
  `${BOOKKEEPING}
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'hash' or redis.call('HGET', key, '@move') ~= ARGV[1] then return {0} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s or not has_flag(s, 'Y') then return {0} end
s.flags = string.gsub(s.flags, 'Y', '')
redis.call('HSET', key, '@', format(s), '@moved', redis.call('TIME')[1])
redis.call('HDEL', key, '@move')
if ARGV[2] == '-1' then redis.pcall('PERSIST', key) else redis.pcall('PEXPIRE', key, ARGV[2]) end
return {1}
`,
)

/**
 * Deletes what a move leaves behind: the old key, or a copy whose session has ended meanwhile.
 *
 * KEYS[1]   session key            'sess:x3J…'
 * ARGV[1]   flag it must carry     'Z' | 'Y'
 * ARGV[2]   creation stamp         'h2mzk9w8qe'
 * ARGV[3]   token it must carry, '' = any
 *
 * returns   {1 | 0 deleted}
 */
export const CLEAR_AWAY = defineScript(
  'clear-away',
  `${BOOKKEEPING}
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'hash' then return {0} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s or s.created ~= ARGV[2] or not has_flag(s, ARGV[1]) then return {0} end
if ARGV[3] ~= '' and redis.call('HGET', key, '@move') ~= ARGV[3] then return {0} end
return {redis.call('DEL', key)}
`,
)
