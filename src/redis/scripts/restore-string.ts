import { STATE } from './move.js'
import { isOne } from './reply.js'
import { defineScript } from './script.js'

/**
 * Turns a hash into a string, as connect-redis writes it, if the session is still in the state that the string was made
 * from. It keeps its time to live.
 *
 * KEYS[1]   session key                                   'sess:x3J…'
 * ARGV[1]   state                                         from PACK
 * ARGV[2]   the whole session                             '{"cookie":{…},"userId":"u-1"}'
 * ARGV[3]   ms by which a key may outlive its session     '86400000' (onEnd)
 *
 * returns   {1}   done
 *           {0}   it has changed since, or ended
 */
export const RESTORE_STRING = defineScript(
  'restore-string',
  `${STATE}
local key = KEYS[1]
local state, text, outlives_ms = unpack(ARGV, 1, 3)
if redis.call('TYPE', key).ok ~= 'hash' then return {0} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s or is_shut(s) or state_of(redis.call('HGETALL', key)) ~= state then return {0} end
local ttl, expires = expiry_of(key)
if ttl < 0 then
  redis.call('SET', key, text)
  return {1}
end
redis.call('SET', key, text, 'PX', ttl)
redis.pcall('PEXPIREAT', key, has_flag(s, KEPT) and string.format('%.0f', expires - tonumber(outlives_ms)) or expires)
return {1}
`,
  isOne,
)
