import { BOOKKEEPING } from './bookkeeping.lua.js'
import { defineScript } from './script.js'

/**
 * Adds to a number of a session that exists. Serves the JSON serializer, whose numbers Redis can count with.
 *
 * KEYS[1]   session key             'sess:x3J…'
 * ARGV[1]   field                   'visits'
 * ARGV[2]   what to add             '1', '-0.5'
 *
 * returns   {1, new text}
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 *           {-2}   the field holds no number
 */
export const INCREMENT = defineScript(
  'increment',
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

local text = redis.pcall('HINCRBY', key, ARGV[1], ARGV[2])
if type(text) == 'table' and string.find(text.err, 'not an integer', 1, true) then
  text = redis.pcall('HINCRBYFLOAT', key, ARGV[1], ARGV[2])
end
if type(text) == 'table' then
  if string.find(text.err, 'not a', 1, true) or string.find(text.err, 'overflow', 1, true) then return {-2} end
  return text
end
redis.call('HSET', key, '@', format(created, seen, idle, base36(tonumber(rev, 36) + 1), flags))
return {1, redis.call('HGET', key, ARGV[1])}
`,
)
