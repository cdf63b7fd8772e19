import { BOOKKEEPING } from './bookkeeping.lua.js'
import { type ScriptReply, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import { FOREIGN, type Foreign, type Gone, goneIn, type TooLarge, tooLargeIn } from './session-reply.js'

/**
 * Writes one field of an existing session if it still holds the text that the caller has read. Used for `increment`
 * if only the serializer knows how a number is written.
 *
 * KEYS[1]   session key                         'sess:x3J…'
 * ARGV[1]   field                               'visits'
 * ARGV[2]   new text                            '{"json":8}'
 * ARGV[3]   absolute timeout, ms, '' = none
 * ARGV[4]   maxBytes                            '1048576'
 * ARGV[5]   text that was read; left out if there was no such field
 *
 * returns   {1}    written
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 *           {4}    the field holds another text now
 *           {8, bytes}   the session would exceed maxBytes: nothing was written
 */
export const SWAP = defineScript(
  'swap',
  `${BOOKKEEPING}
local key = KEYS[1]
local field, text, absolute, max, seen = unpack(ARGV, 1, 5)
local s, answer = open(key, absolute)
if not s then return answer end
local held = seen or false
if redis.call('HGET', key, field) ~= held then return {4} end
local refusal = resize(key, s, weight(field, text) - weight(field, held), max)
if refusal then return refusal end
s.saves = base36(tonumber(s.saves, 36) + 1)
redis.call('HSET', key, field, text, '@', format(s))
return {1}
`,
  decodeSwap,
)

/** `changed`: the field holds another text now. */
export type SwapReply = { kind: 'swapped' } | Gone | Foreign | TooLarge | { kind: 'changed' }

function decodeSwap(reply: ScriptReply): SwapReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'swapped' }
    case 0:
      return goneIn(reply)
    case 4:
      return { kind: 'changed' }
    case 8:
      return tooLargeIn(reply)
    case -1:
      return FOREIGN
    default:
      return unexpectedReply()
  }
}
