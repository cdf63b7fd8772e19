import { done, nothing, textAt } from './reply.js'
import { defineScript } from './script.js'

/*
 * Stores the next id of a session whose id was given up, for as long as requests with the old id may be under way.
 * Only the end of a session follows this trail. A leading `!` means that the session has been ended by such a
 * request.
 */

/**
 * Notes that an id is given up, unless that is noted already.
 *
 * KEYS[1]   key beside the session   'idx:sess:@rotated:x3J…'
 * ARGV[1]   how long it is kept, ms  '60000'
 *
 * returns   {1}
 */
export const MARK_ROTATED = defineScript(
  'mark rotated',
  `local key, kept_ms = KEYS[1], ARGV[1]
redis.call('SET', key, '', 'PX', kept_ms, 'NX')
return {1}
`,
  nothing,
)

/**
 * Notes the next id of a session before the session leaves its current one.
 *
 * KEYS[1]   key beside the session   'idx:sess:@rotated:x3J…'
 * ARGV[1]   next stored id           'Pq0…'
 * ARGV[2]   how long it is kept, ms  '60000'
 *
 * returns   {1}
 */
export const LEAVE_TRAIL = defineScript(
  'leave trail',
  `local key = KEYS[1]
local next_id, kept_ms = unpack(ARGV, 1, 2)
local trail = redis.call('GET', key) or ''
redis.call('SET', key, trail .. ' ' .. next_id, 'PX', kept_ms)
return {1}
`,
  nothing,
)

/**
 * Notes that the session has been ended, under whichever id it is.
 *
 * KEYS[1]   key beside the session   'idx:sess:@rotated:x3J…'
 * ARGV[1]   how long it is kept, ms  '60000'
 *
 * returns   {1, trail}   '!' and the stored ids, each after a space
 */
export const END_TRAIL = defineScript(
  'end trail',
  `local key, kept_ms = KEYS[1], ARGV[1]
local trail = redis.call('GET', key) or ''
if string.sub(trail, 1, 1) ~= '!' then
  trail = '!' .. trail
  redis.call('SET', key, trail, 'PX', kept_ms)
end
return {1, trail}
`,
  (reply) => textAt(done(reply), 1),
)
