import { nothing } from './reply.js'
import { defineScript } from './script.js'

/**
 * Counts active users, each once, in a HyperLogLog that expires by itself.
 *
 * KEYS[1]   key of one span of time        'idx:sess:@activity:users:hour:1790000000000'
 * ARGV[1]   ms the count is kept           '2678400000'
 * ARGV[2…]  ids of the active users        'u-1', 'u-2', …
 *
 * returns   {1}
 */
export const COUNT_ACTIVE = defineScript(
  'count-active',
  `local key, kept_ms = KEYS[1], ARGV[1]
for i = 2, #ARGV, 1000 do
  redis.call('PFADD', key, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
if redis.call('PTTL', key) < 0 then redis.pcall('PEXPIRE', key, kept_ms) end
return {1}
`,
  nothing,
)
