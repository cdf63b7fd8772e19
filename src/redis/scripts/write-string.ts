import { type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import { FOREIGN, type Foreign, type Gone, goneIn } from './session-reply.js'

/**
 * Writes a session as a string, as connect-redis does, but only in place of the string that the caller has read.
 *
 * KEYS[1]   session key                                                        'sess:x3J…'
 * ARGV[1]   SHA-1 of the string that was read, '' = there was none
 * ARGV[2]   the whole session                                                  '{"cookie":{…},"userId":"u-1"}'
 * ARGV[3]   idle timeout, ms, '' = none (disableTTL), 'keep' = the TTL stays   '1800000'
 *
 * returns   {1}           written
 *           {0}           the session is gone
 *           {3, string}   connect-redis, or another server, has written meanwhile
 *           {-1}          the key is no string
 */
export const WRITE_STRING = defineScript(
  'write-string',
  `local key = KEYS[1]
local sha, text, idle = unpack(ARGV, 1, 3)
local kind = redis.call('TYPE', key).ok
if kind == 'none' then
  if sha ~= '' then return {0} end
elseif kind ~= 'string' then
  return {-1}
else
  local held = redis.call('GET', key)
  if redis.sha1hex(held) ~= sha then return {3, held} end
end
if idle == '' then redis.call('SET', key, text)
elseif idle == 'keep' then redis.call('SET', key, text, 'KEEPTTL')
else redis.call('SET', key, text, 'PX', idle) end
return {1}
`,
  decodeWriteString,
)

/** `string`: what has been written meanwhile. */
export type WriteStringReply = { kind: 'written' } | Gone | Foreign | { kind: 'string'; text: string }

function decodeWriteString(reply: ScriptReply): WriteStringReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'written' }
    case 0:
      return goneIn(reply)
    case 3:
      return { kind: 'string', text: textAt(reply, 1) }
    case -1:
      return FOREIGN
    default:
      return unexpectedReply()
  }
}
