import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/**
 * Changes a session that exists, and only that one: a key that is gone, or that was created anew since it was loaded,
 * is left alone. Serves save, touch and patch.
 *
 * KEYS[1]   session key                                         'sess:x3J…'
 * ARGV[1]   creation stamp the session was loaded with, '' = whichever exists   'h2mzk9w8qe'
 * ARGV[2]   save counter it was loaded with, '' = do not compare                '3'
 * ARGV[3]   1 = this is a save (counts, changes properties), 0 = a touch
 * ARGV[4]   idle timeout, ms; '' = neither slide nor change the cookie flags    '1800000'
 * ARGV[5]   absolute timeout, ms, '' = none
 * ARGV[6]   'expire' | 'none' (disableTTL)
 * ARGV[7]   cookie flags                                                        'MSL'
 * ARGV[8]   number of pairs n
 * ARGV[9…]  n times field, text; then the fields to remove
 *
 * returns   {1, '@' text, 1 | 0 expiry set}
 *           {2, '@' text, 1 | 0, old texts…}  as 1, but others saved since the load: what the fields of the pairs and of
 *                                             the removals held before, for the caller to tell a conflict
 *           {0}   refused: gone, past its deadline, or another session
 *           {-1}  the key is not a session hash
 */
export const UPDATE = defineScript(
  'update',
  `${BOOKKEEPING}
local key = KEYS[1]
local meta = redis.pcall('HGET', key, '@')
if type(meta) == 'table' then
  if string.find(meta.err, 'WRONGTYPE', 1, true) then return {-1} end
  return meta
end
if not meta then return {redis.call('EXISTS', key) == 1 and -1 or 0} end
local created, seen, idle, rev, flags = parse(meta)
if not created then return {-1} end
if ARGV[1] ~= '' and ARGV[1] ~= created then return {0} end

local pairs_end = 8 + 2 * tonumber(ARGV[8])
local pairs, removed = slice(9, pairs_end), slice(pairs_end + 1, #ARGV)
local now = now_us()
local left
if ARGV[4] ~= '' then
  left = lifetime(created, now, tonumber(ARGV[4]), ARGV[5])
  if left <= 0 then
    redis.call('DEL', key)
    return {0}
  end
  seen = base36(math.floor(now / 1000) - math.floor(tonumber(created, 36) / 1000))
  idle = base36(tonumber(ARGV[4]))
  flags = ARGV[7]
end

local result = {1}
if ARGV[2] ~= '' and ARGV[2] ~= rev then
  result = {2, '', 1}
  for i = 1, #pairs, 2 do result[#result + 1] = redis.call('HGET', key, pairs[i]) end
  for i = 1, #removed do result[#result + 1] = redis.call('HGET', key, removed[i]) end
end
if ARGV[3] == '1' then rev = base36(tonumber(rev, 36) + 1) end

meta = format(created, seen, idle, rev, flags)
table.insert(pairs, 1, meta)
table.insert(pairs, 1, '@')
hset(key, pairs)
hdel(key, removed)
result[2], result[3] = meta, 1
if left and not expire(key, ARGV[6], left) then
  result[2], result[3] = format(created, seen, idle, rev, flags .. 'X'), 0
  redis.call('HSET', key, '@', result[2])
end
return result
`,
)
