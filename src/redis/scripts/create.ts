import { BOOKKEEPING } from './bookkeeping.lua.js'
import { type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import { FOREIGN, type Foreign, type Gone, goneIn, timeOfWrite, type Written, writtenIn } from './session-reply.js'

/**
 * Writes a whole session: a new one, or one that replaces a session that was never loaded. Replacing keeps the
 * creation time, and therefore the absolute deadline.
 *
 * KEYS[1]   session key                        'sess:x3J…'
 * ARGV[1]   idle timeout, ms                   '1800000'
 * ARGV[2]   absolute timeout, ms, '' = none    '28800000'
 * ARGV[3]   'expire' | 'none' (disableTTL) | ms that the key outlives the session by (onEnd)
 * ARGV[4]   cookie flags                       'MSL'
 * ARGV[5]   SHA-1 of the string it may replace, '' = none
 * ARGV[6]   creation stamp to use if the key does not exist (rotation), '' = now
 * ARGV[7…]  field, text, field, text, …        'userId', '"u-1"'
 *
 * returns   {1, '@' text, 1 | 0 expiry set}
 *           {0}   past its absolute deadline: ended, nothing written
 *           {3, string}  the key holds a string: call again with its SHA-1 if it is a session of connect-redis
 *           {7}   the previous session has ended, and its content is still needed (onEnd)
 *           {10}  a marker: the session that was here has moved away
 *           {-1}  the key belongs to something else: left unchanged
 */
export const CREATE = defineScript(
  'create',
  `${BOOKKEEPING}
local key = KEYS[1]
local idle, absolute, mode, flags, replaceable, created = unpack(ARGV, 1, 6)
local now = now_us()
local s = {created = base36(now), saves = '1', size = ''}
local kind = redis.call('TYPE', key).ok
if kind == 'hash' then
  local old = parse(redis.call('HGET', key, '@') or '')
  if not old then return {-1} end
  if has_flag(old, MOVED) then return {10} end
  if is_over(old, now, absolute) and string.find(old.flags, WANTED) then return {7} end
  if not is_overdue(old, now, absolute) then
    s.created, s.saves = old.created, base36(tonumber(old.saves, 36) + 1)
  end
elseif kind == 'string' then
  local text = redis.call('GET', key)
  if redis.sha1hex(text) ~= replaceable then return {3, text} end
elseif kind ~= 'none' then
  return {-1}
elseif created ~= '' then
  s.created = created
end

local left = refresh(s, now, idle, absolute, flags, mode)
if left <= 0 then
  redis.call('DEL', key)
  return {0}
end

local surplus = {}
if kind == 'hash' then
  -- The visitor's cookie may depend on @renew.
  local kept = {['@'] = true, ['@renew'] = true}
  for i = 7, #ARGV, 2 do kept[ARGV[i]] = true end
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if not kept[field] then surplus[#surplus + 1] = field end
  end
elseif kind == 'string' then
  drop_string(key)
end
local fields = slice(7, #ARGV)
s.size = base36(weigh(fields))
table.insert(fields, 1, format(s))
table.insert(fields, 1, '@')
hset(key, fields)
hdel(key, surplus)
return {1, expire(key, s, mode, left)}
`,
  decodeCreate,
  { timeOf: timeOfWrite },
)

export type CreateReply =
  | Written
  | Gone
  | Foreign
  | { kind: 'string'; text: string }
  | { kind: 'kept' }
  | { kind: 'moved' }

function decodeCreate(reply: ScriptReply): CreateReply {
  switch (reply[0]) {
    case 1:
      return writtenIn(reply)
    case 0:
      return goneIn(reply)
    case 3:
      return { kind: 'string', text: textAt(reply, 1) }
    case 7:
      return { kind: 'kept' }
    case 10:
      return { kind: 'moved' }
    case -1:
      return FOREIGN
    default:
      return unexpectedReply()
  }
}
