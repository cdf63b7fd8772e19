import { type Bookkeeping, parseBookkeeping } from '../../hash/bookkeeping.js'
import { BOOKKEEPING } from './bookkeeping.lua.js'
import { integerAt, type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'

/**
 * Saves or touches a session that nobody has written to since it was loaded: the caller then knows the '@' text that
 * Redis holds, and has made the next one (session/quick-save.ts). Takes Redis a quarter of the time of UPDATE, whose
 * functions Lua makes anew for every run.
 *
 * KEYS[1]   session key                                                         'sess:x3J…'
 * ARGV[1]   '@' text the session was loaded with                                'h2mzk9w8qe 4fk 12kw0 3 MSL #2s'
 * ARGV[2]   '@' text in its place                                               'h2mzk9w8qe 4fk 12kw0 4 MSL #2t'
 * ARGV[3]   ms that the session may live from now on, and, behind a blank, when it ends at the latest, ms since 1970;
 *           '' = its TTL stays as it is                                         '1800000', '1800000 1764163200000'
 * ARGV[4…]  field, text, … to set
 *
 * returns   1   done
 *           {1, '@' text}   done, but the Redis user may not set a TTL
 *           0   nothing was written: '@' is not that text, or time is up. UPDATE can tell more
 */
export const QUICK_SAVE = defineScript(
  'quick-save',
  `local key, loaded, meta, life = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if redis.pcall('HGET', key, '@') ~= loaded then return 0 end

local idle, last = string.match(life, '^(%d+) (%d+)$')
if last then
  local t = redis.call('TIME')
  life = math.min(tonumber(idle), tonumber(last) - tonumber(t[1]) * 1000 - math.floor(tonumber(t[2]) / 1000))
  if life <= 0 then return 0 end
end
redis.call('HSET', key, '@', meta, unpack(ARGV, 4))
if life == '' or type(redis.pcall('PEXPIRE', key, life)) == 'number' then return 1 end
${BOOKKEEPING}
return {1, keep(key, parse(meta))}
`,
  decodeQuickSave,
  { isAlone: true },
)

/** @returns false if nothing was written; the bookkeeping if it is not what the caller has sent */
function decodeQuickSave(reply: ScriptReply): boolean | Bookkeeping {
  if (reply.length > 1 && reply[0] === 1) return parseBookkeeping(textAt(reply, 1)) ?? unexpectedReply()
  const code = integerAt(reply, 0)
  return code === 1 || (code === 0 ? false : unexpectedReply())
}
