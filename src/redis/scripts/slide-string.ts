import { defineScript } from './script.js'

/**
 * Prolongs a string that connect-redis wrote. A hash that another request has made of it meanwhile is left alone: that
 * one has set the time it is to live.
 *
 * KEYS[1]   session key            'sess:x3J…'
 * ARGV[1]   idle timeout, ms       '1800000'
 *
 * returns   {1}   done
 *           {0}   it is no string any more
 *           {2}   Redis may not set a TTL
 */
export const SLIDE_STRING = defineScript(
  'slide-string',
  `if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return {0} end
if type(redis.pcall('PEXPIRE', KEYS[1], ARGV[1])) ~= 'number' then return {2} end
return {1}
`,
)
