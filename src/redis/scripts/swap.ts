import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/**
 * Writes one field of a session that exists, if it still holds what the caller has seen. Serves `increment` where only
 * the serializer knows how a number is written.
 *
 * KEYS[1]   session key                         'sess:x3J…'
 * ARGV[1]   field                               'visits'
 * ARGV[2]   new text                            '{"json":8}'
 * ARGV[3]   absolute timeout, ms, '' = none
 * ARGV[4]   maxBytes                            '1048576'
 * ARGV[5]   text seen; left out if there was no such field
 *
 * returns   {1}    written
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 *           {4}    the field holds something else by now
 *           {8, bytes}   the session would be larger than maxBytes: nothing was written
 */
export const SWAP = defineScript(
  'swap',
  `${BOOKKEEPING}
local key = KEYS[1]
local s, answer = open(key, ARGV[3])
if not s then return answer end
local held = ARGV[5] or false
if redis.call('HGET', key, ARGV[1]) ~= held then return {4} end
local refusal = resize(key, s, weight(ARGV[1], ARGV[2]) - weight(ARGV[1], held), ARGV[4])
if refusal then return refusal end
s.saves = base36(tonumber(s.saves, 36) + 1)
redis.call('HSET', key, ARGV[1], ARGV[2], '@', format(s))
return {1}
`,
)
