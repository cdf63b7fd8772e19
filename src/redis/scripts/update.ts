import type { Bookkeeping } from '../../hash/bookkeeping.js'
import { BOOKKEEPING } from './bookkeeping.lua.js'
import { fieldsFrom, type ScriptReply, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import {
  type Contended,
  contendedIn,
  FOREIGN,
  type Foreign,
  type Gone,
  goneIn,
  metaAt,
  type TooLarge,
  timeOfWrite,
  tooLargeIn,
  type Written,
  writtenIn,
} from './session-reply.js'

/**
 * Changes an existing session, and only that one: if the key is gone, or was created anew since it was loaded, it is
 * left unchanged. Used for save, touch and patch.
 *
 * KEYS[1]   session key                                         'sess:x3J…'
 * ARGV[1]   creation stamp the session was loaded with, '' = any session        'h2mzk9w8qe'
 * ARGV[2]   save counter it was loaded with, '' = do not compare                '3'
 * ARGV[3]   1 = save (counts, changes properties), 0 = touch, 2 = save only if nothing was saved since the load
 * ARGV[4]   idle timeout, ms; '' = neither slide nor change the cookie flags    '1800000'
 * ARGV[5]   absolute timeout, ms, '' = none
 * ARGV[6]   'expire' | 'none' (disableTTL) | ms that the key outlives the session by (onEnd)
 * ARGV[7]   cookie flags                                                        'MSL'
 * ARGV[8]   maxBytes                                                            '1048576'
 * ARGV[9]   1 = the noted size cannot be right, '' = no reason to doubt it
 * ARGV[10]  number of pairs n
 * ARGV[11]  number of replacements m
 * ARGV[12…] n times field, text; m times field, text it must still hold, text that replaces it (encrypted under a
 *           new key, with the same meaning); then the fields to remove
 *
 * returns   {1, '@' text, 1 | 0 expiry set}
 *           {2, '@' text, 1 | 0, old texts…}  as 1, but others saved since the load: previous texts of the fields of
 *                                             the pairs and of the removals, with which the caller detects a conflict
 *           {5, '@' text, texts…}  others saved since the load, and nothing was written or refreshed (ARGV[3] = 2):
 *                                  what the fields of the pairs and of the removals hold
 *           {8, bytes}   the session would grow, and exceed maxBytes: nothing was written
 *           {0}   refused: it is gone, past its deadline, or another session
 *           {-1}  the key is not a session hash
 */
export const UPDATE = defineScript(
  'update',
  `${BOOKKEEPING}
local key = KEYS[1]
local created, saves, kind, idle, absolute, mode, flags, max, is_doubted, pairs_count, replaced_count = unpack(ARGV, 1, 11)
local s, answer = open(key, absolute)
if not s then return answer end
if created ~= '' and created ~= s.created then return {0} end

local pairs_end = 11 + 2 * tonumber(pairs_count)
local replaced_end = pairs_end + 3 * tonumber(replaced_count)
local fields, removed = slice(12, pairs_end), slice(replaced_end + 1, #ARGV)
if kind == '2' and saves ~= s.saves then
  local reply = {5, format(s)}
  for i = 1, #fields, 2 do reply[#reply + 1] = redis.call('HGET', key, fields[i]) end
  for i = 1, #removed do reply[#reply + 1] = redis.call('HGET', key, removed[i]) end
  return reply
end
local left
if idle ~= '' then
  left = refresh(s, now_us(), idle, absolute, flags, mode)
  if left <= 0 then
    redis.call('DEL', key)
    return {0}
  end
end

local is_contended = saves ~= '' and saves ~= s.saves
local reply, growth = {is_contended and 2 or 1, '', 1}, weigh(fields)
local function replace(field)
  local held = redis.call('HGET', key, field)
  growth = growth - weight(field, held)
  if is_contended then reply[#reply + 1] = held end
end
for i = 1, #fields, 2 do replace(fields[i]) end
for i = 1, #removed do replace(removed[i]) end
if #ARGV > 11 then
  local refusal = resize(key, s, growth, max, is_doubted == '1')
  if refusal then return refusal end
end
-- A field that is only encrypted anew is never refused for its size.
for i = pairs_end + 1, replaced_end, 3 do
  if redis.call('HGET', key, ARGV[i]) == ARGV[i + 1] then
    fields[#fields + 1], fields[#fields + 2] = ARGV[i], ARGV[i + 2]
    s.size = base36(math.max(0, tonumber(s.size, 36) + #ARGV[i + 2] - #ARGV[i + 1]))
  end
end
if kind ~= '0' then s.saves = base36(tonumber(s.saves, 36) + 1) end

table.insert(fields, 1, format(s))
table.insert(fields, 1, '@')
hset(key, fields)
hdel(key, removed)
if left then
  reply[2], reply[3] = expire(key, s, mode, left)
else
  reply[2] = format(s)
end
return reply
`,
  decodeUpdate,
  { timeOf: (reply, args) => (args[3] === '' || reply.kind === 'outdated' ? undefined : timeOfWrite(reply)) },
)

export type UpdateReply = Written | Contended | Gone | Foreign | TooLarge | Outdated

/** Other requests have saved since the load, and nothing was written. */
export interface Outdated {
  kind: 'outdated'
  meta: Bookkeeping
  /** What Redis holds: the texts of the fields to set, then of those to remove. */
  old: (string | null)[]
}

function decodeUpdate(reply: ScriptReply): UpdateReply {
  switch (reply[0]) {
    case 1:
      return writtenIn(reply)
    case 2:
      return contendedIn(reply, fieldsFrom(reply, 3))
    case 0:
      return goneIn(reply)
    case 5:
      return { kind: 'outdated', meta: metaAt(reply, 1), old: fieldsFrom(reply, 2) }
    case 8:
      return tooLargeIn(reply)
    case -1:
      return FOREIGN
    default:
      return unexpectedReply()
  }
}
