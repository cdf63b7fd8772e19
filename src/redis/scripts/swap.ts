import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/**
 * Writes one field of a session that exists, if it still holds what the caller has seen. Serves `increment` where only
 * the serializer knows how a number is written.
 *
 * KEYS[1]   session key                         'sess:x3J…'
 * ARGV[1]   field                               'visits'
 * ARGV[2]   new text                            '{"json":8}'
 * ARGV[3]   text seen; left out if there was no such field
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
local meta = redis.pcall('HGET', key, '@')
if type(meta) == 'table' then
  if string.find(meta.err, 'WRONGTYPE', 1, true) then return {-1} end
  return meta
end
if not meta then return {redis.call('EXISTS', key) == 1 and -1 or 0} end
local created, seen, idle, rev, flags = parse(meta)
if not created then return {-1} end
if redis.call('HGET', key, ARGV[1]) ~= (ARGV[3] or false) then return {4} end
redis.call('HSET', key, ARGV[1], ARGV[2], '@', format(created, seen, idle, base36(tonumber(rev, 36) + 1), flags))
return {1}
`,
)
