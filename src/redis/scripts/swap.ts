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
 * ARGV[4]   text seen; left out if there was no such field
 *
 * returns   {1}    written
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 *           {4}    the field holds something else by now
 */
export const SWAP = defineScript(
  'swap',
  `${BOOKKEEPING}
local key = KEYS[1]
local s, answer = open(key, ARGV[3])
if not s then return answer end
if redis.call('HGET', key, ARGV[1]) ~= (ARGV[4] or false) then return {4} end
s.saves = base36(tonumber(s.saves, 36) + 1)
redis.call('HSET', key, ARGV[1], ARGV[2], '@', format(s))
return {1}
`,
)
