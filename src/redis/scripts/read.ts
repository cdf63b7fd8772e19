import { BOOKKEEPING } from './bookkeeping.lua.js'
import { fieldsFrom, hashFrom, integerAt, type ScriptReply, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import { FOREIGN, type Foreign } from './session-reply.js'

/**
 * Reads a session whose key outlives it (onEnd). Its end is determined by the clock of Redis, because the clocks of
 * servers may differ.
 *
 * KEYS[1]   session key        'sess:x3J…'
 * ARGV[1]   absolute timeout, ms, '' = none
 * ARGV[2…]  fields, as for HMGET; none: all fields, as from HGETALL
 *
 * returns   {1, ms, …}   the time the session has left, -1 if only the TTL of its key limits it; and the reply:
 *                        for an ended session, the reply for a missing one
 *           {-1}         the key does not hold a hash
 */
const LUA = `${BOOKKEEPING}
local key, absolute = KEYS[1], ARGV[1]
local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then return {-1} end
local s = parse(redis.call('HGET', key, '@') or '')
local now = now_us()
local reply = {1, s and has_flag(s, KEPT) and limit_ms(s, absolute) - age_ms(s, now) or -1}
if s and is_over(s, now, absolute) then
  for i = 2, #ARGV do reply[i + 1] = false end
  return reply
end
if #ARGV == 1 then
  local all = redis.call('HGETALL', key)
  for i = 1, #all do reply[i + 2] = all[i] end
  return reply
end
-- Lua's stack limits how many arguments one call may take.
for i = 2, #ARGV, 1000 do
  local found = redis.call('HMGET', key, unpack(ARGV, i, math.min(i + 999, #ARGV)))
  for n = 1, #found do reply[i + n] = found[n] end
end
return reply
`

/** `leftMs`: -1 if only the TTL of the key limits the session; less than -1 if it has ended. */
export type ReadReply<Found> = { kind: 'hash'; leftMs: number; found: Found } | Foreign

/** Reads all fields: `[field, text, …]`. */
export const READ = defineScript('read', LUA, decoderOf(hashFrom), { isRead: true, isAlone: true })

/** Reads some fields; null for a field that does not exist. */
export const READ_FIELDS = defineScript('read-fields', LUA, decoderOf(fieldsFrom), { isRead: true })

function decoderOf<Found>(foundFrom: (reply: ScriptReply, from: number) => Found) {
  return (reply: ScriptReply): ReadReply<Found> => {
    if (reply[0] === 1) return { kind: 'hash', leftMs: integerAt(reply, 1), found: foundFrom(reply, 2) }
    return reply[0] === -1 ? FOREIGN : unexpectedReply()
  }
}
