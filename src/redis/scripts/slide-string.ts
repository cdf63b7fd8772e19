import { type ScriptReply, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'

/**
 * Prolongs a string that connect-redis wrote. If another request has made a hash of it meanwhile, the hash is left
 * unchanged, because that request has set its TTL.
 *
 * KEYS[1]   session key            'sess:x3J…'
 * ARGV[1]   idle timeout, ms       '1800000'
 *
 * returns   {1}   done
 *           {0}   it is not a string any more
 *           {2}   Redis may not set a TTL
 */
export const SLIDE_STRING = defineScript(
  'slide-string',
  `local key, idle = KEYS[1], ARGV[1]
if redis.call('TYPE', key).ok ~= 'string' then return {0} end
if type(redis.pcall('PEXPIRE', key, idle)) ~= 'number' then return {2} end
return {1}
`,
  decodeSlideString,
)

/** `unexpiring`: Redis may not set a TTL. */
export type SlideStringReply = 'prolonged' | 'no-string' | 'unexpiring'

function decodeSlideString([code]: ScriptReply): SlideStringReply {
  if (code === 1) return 'prolonged'
  if (code === 2) return 'unexpiring'
  return code === 0 ? 'no-string' : unexpectedReply()
}
