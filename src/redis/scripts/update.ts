import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/**
 * Changes a session that exists, and only that one: a key that is gone, or that was created anew since it was loaded,
 * is left alone. Serves save, touch and patch.
 *
 * KEYS[1]   session key                                         'sess:x3J…'
 * ARGV[1]   creation stamp the session was loaded with, '' = whichever exists   'h2mzk9w8qe'
 * ARGV[2]   save counter it was loaded with, '' = do not compare                '3'
 * ARGV[3]   1 = this is a save (counts, changes properties), 0 = a touch, 2 = a save only if nobody has saved since the load
 * ARGV[4]   idle timeout, ms; '' = neither slide nor change the cookie flags    '1800000'
 * ARGV[5]   absolute timeout, ms, '' = none
 * ARGV[6]   'expire' | 'none' (disableTTL) | ms that the key outlives the session by (onEnd)
 * ARGV[7]   cookie flags                                                        'MSL'
 * ARGV[8]   number of pairs n
 * ARGV[9]   number of replacements m
 * ARGV[10…] n times field, text; m times field, text it must still hold, text that takes its place (encrypted under a
 *           new key, to the same meaning); then the fields to remove
 *
 * returns   {1, '@' text, 1 | 0 expiry set}
 *           {2, '@' text, 1 | 0, old texts…}  as 1, but others saved since the load: what the fields of the pairs and of
 *                                             the removals held before, for the caller to tell a conflict
 *           {5, '@' text}  others saved since the load, and nothing was written (ARGV[3] = 2)
 *           {0}   refused: gone, past its deadline, or another session
 *           {-1}  the key is not a session hash
 */
export const UPDATE = defineScript(
  'update',
  `${BOOKKEEPING}
local key = KEYS[1]
local s, answer = open(key, ARGV[5])
if not s then return answer end
if ARGV[1] ~= '' and ARGV[1] ~= s.created then return {0} end
if ARGV[3] == '2' and ARGV[2] ~= s.saves then return {5, format(s)} end

local pairs_end = 9 + 2 * tonumber(ARGV[8])
local replaced_end = pairs_end + 3 * tonumber(ARGV[9])
local fields, removed = slice(10, pairs_end), slice(replaced_end + 1, #ARGV)
local left
if ARGV[4] ~= '' then
  left = refresh(s, now_us(), ARGV[4], ARGV[5], ARGV[7], ARGV[6])
  if left <= 0 then
    redis.call('DEL', key)
    return {0}
  end
end

local reply = {1, '', 1}
if ARGV[2] ~= '' and ARGV[2] ~= s.saves then
  reply[1] = 2
  for i = 1, #fields, 2 do reply[#reply + 1] = redis.call('HGET', key, fields[i]) end
  for i = 1, #removed do reply[#reply + 1] = redis.call('HGET', key, removed[i]) end
end
for i = pairs_end + 1, replaced_end, 3 do
  if redis.call('HGET', key, ARGV[i]) == ARGV[i + 1] then
    fields[#fields + 1], fields[#fields + 2] = ARGV[i], ARGV[i + 2]
  end
end
if ARGV[3] ~= '0' then s.saves = base36(tonumber(s.saves, 36) + 1) end

table.insert(fields, 1, format(s))
table.insert(fields, 1, '@')
hset(key, fields)
hdel(key, removed)
if left then
  reply[2], reply[3] = expire(key, s, ARGV[6], left)
else
  reply[2] = format(s)
end
return reply
`,
  { tellsTime: (args) => args[3] !== '' },
)
