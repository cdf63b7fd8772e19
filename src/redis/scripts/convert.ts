import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/**
 * Saves a session that was loaded from connect-redis's JSON string. The first save turns the string into a hash; a save
 * that comes second finds the hash and writes its own changes only, so neither loses the other's.
 *
 * KEYS[1]   session key                              'sess:x3J…'
 * ARGV[1]   SHA-1 of the string that was loaded
 * ARGV[2]   idle timeout, ms
 * ARGV[3]   absolute timeout, ms, '' = none
 * ARGV[4]   'expire' | 'none' (disableTTL)
 * ARGV[5]   cookie flags
 * ARGV[6]   number of pairs n, all properties of the session
 * ARGV[7]   how many of them are changes m: the first m pairs
 * ARGV[8…]  n times field, text; then the fields to remove
 *
 * returns   {1, '@' text, 1 | 0 expiry set}
 *           {0}           refused: the session is gone
 *           {3, string}   connect-redis wrote meanwhile: merge with this and come again
 *           {-1}          the key is neither
 */
export const CONVERT = defineScript(
  'convert',
  `${BOOKKEEPING}
local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {0} end
if kind ~= 'string' and kind ~= 'hash' then return {-1} end

local now = now_us()
local all_end = 7 + 2 * tonumber(ARGV[6])
local created, seen, rev
local pairs, removed
if kind == 'string' then
  local text = redis.call('GET', key)
  if redis.sha1hex(text) ~= ARGV[1] then return {3, text} end
  created, seen, rev = base36(now), '0', '1'
  pairs, removed = slice(8, all_end), {}
else
  local old_created, _, _, old_rev = parse(redis.call('HGET', key, '@') or '')
  if not old_created then return {-1} end
  created, rev = old_created, base36(tonumber(old_rev, 36) + 1)
  seen = base36(math.floor(now / 1000) - math.floor(tonumber(created, 36) / 1000))
  pairs, removed = slice(8, 7 + 2 * tonumber(ARGV[7])), slice(all_end + 1, #ARGV)
end

local left = lifetime(created, now, tonumber(ARGV[2]), ARGV[3])
if left <= 0 then
  redis.call('DEL', key)
  return {0}
end
if kind == 'string' then redis.call('DEL', key) end
local idle = base36(tonumber(ARGV[2]))
local meta = format(created, seen, idle, rev, ARGV[5])
table.insert(pairs, 1, meta)
table.insert(pairs, 1, '@')
hset(key, pairs)
hdel(key, removed)
if expire(key, ARGV[4], left) then return {1, meta, 1} end
meta = format(created, seen, idle, rev, ARGV[5] .. 'X')
redis.call('HSET', key, '@', meta)
return {1, meta, 0}
`,
)
