import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/**
 * Writes a whole session: a new one, or in place of one that was never loaded. Replacing keeps the time of creation
 * and with it the absolute deadline.
 *
 * KEYS[1]   session key                        'sess:x3J…'
 * ARGV[1]   idle timeout, ms                   '1800000'
 * ARGV[2]   absolute timeout, ms, '' = none    '28800000'
 * ARGV[3]   'expire' | 'none' (disableTTL)
 * ARGV[4]   cookie flags                       'MSL'
 * ARGV[5…]  field, text, field, text, …        'userId', '"u-1"'
 *
 * returns   {1, '@' text, 1 | 0 expiry set}
 *           {0}   past its absolute deadline: ended, nothing written
 *           {-1}  the key is none of ours: left as it is
 */
export const CREATE = defineScript(
  'create',
  `${BOOKKEEPING}
local key = KEYS[1]
local now = now_us()
local created, rev = base36(now), '1'
local kind = redis.call('TYPE', key).ok
if kind == 'hash' then
  local old_created, _, _, old_rev = parse(redis.call('HGET', key, '@') or '')
  if not old_created then return {-1} end
  created, rev = old_created, base36(tonumber(old_rev, 36) + 1)
elseif kind ~= 'none' and kind ~= 'string' then
  return {-1}
end
local left = lifetime(created, now, tonumber(ARGV[1]), ARGV[2])
if left <= 0 then
  redis.call('DEL', key)
  return {0}
end
if kind ~= 'none' then redis.call('DEL', key) end
local seen = base36(math.floor(now / 1000) - math.floor(tonumber(created, 36) / 1000))
local idle = base36(tonumber(ARGV[1]))
local meta = format(created, seen, idle, rev, ARGV[4])
hset(key, slice(5, #ARGV, '@', meta))
if expire(key, ARGV[3], left) then return {1, meta, 1} end
meta = format(created, seen, idle, rev, ARGV[4] .. 'X')
redis.call('HSET', key, '@', meta)
return {1, meta, 0}
`,
)
