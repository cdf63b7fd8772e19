import { BOOKKEEPING } from './bookkeeping.lua.js'
import { numberAt, type ScriptReply, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import { FOREIGN, type Foreign, type Gone, goneIn, type TooLarge, tooLargeIn } from './session-reply.js'

/**
 * Adds to a number in an existing session. Used with the JSON serializer, whose numbers Redis can calculate with.
 *
 * KEYS[1]   session key             'sess:x3J…'
 * ARGV[1]   field                   'visits'
 * ARGV[2]   number to add           '1', '-0.5'
 * ARGV[3]   absolute timeout, ms, '' = none
 * ARGV[4]   maxBytes                '1048576'
 *
 * returns   {1, new text}
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 *           {-2}   the field does not hold a number
 *           {8, bytes}   the session would exceed maxBytes: nothing was changed
 */
export const INCREMENT = defineScript(
  'increment',
  `${BOOKKEEPING}
local key = KEYS[1]
local field, by, absolute, max = unpack(ARGV, 1, 4)
local s, answer = open(key, absolute)
if not s then return answer end

-- HSET comes first because it can be refused: HINCRBY alone would be half a change.
local before, held = format(s), redis.call('HGET', key, field)
s.saves = base36(tonumber(s.saves, 36) + 1)
redis.call('HSET', key, '@', format(s))
local sum = redis.pcall('HINCRBY', key, field, by)
if type(sum) == 'table' and string.find(sum.err, 'not an integer', 1, true) then
  sum = redis.pcall('HINCRBYFLOAT', key, field, by)
end
if type(sum) == 'table' then
  redis.call('HSET', key, '@', before)
  for _, reason in ipairs({'not an integer', 'not a float', 'not a valid float', 'overflow', 'NaN or Infinity'}) do
    if string.find(sum.err, reason, 1, true) then return {-2} end
  end
  return sum
end
local text = redis.call('HGET', key, field)
local growth = weight(field, text) - weight(field, held)
-- Most sums are as long as the number before.
if growth == 0 then return {1, text} end
local refusal = resize(key, s, growth, max, false, growth)
redis.call('HSET', key, '@', refusal and before or format(s))
if not refusal then return {1, text} end
if held then redis.call('HSET', key, field, held) else redis.call('HDEL', key, field) end
return refusal
`,
  decodeIncrement,
)

export type IncrementReply = { kind: 'counted'; value: number } | Gone | Foreign | TooLarge | { kind: 'not-a-number' }

function decodeIncrement(reply: ScriptReply): IncrementReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'counted', value: numberAt(reply, 1) }
    case 0:
      return goneIn(reply)
    case 8:
      return tooLargeIn(reply)
    case -1:
      return FOREIGN
    case -2:
      return { kind: 'not-a-number' }
    default:
      return unexpectedReply()
  }
}
