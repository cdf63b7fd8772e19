import { defineScript } from './script.js'

/**
 * Returns the memory that a key uses. Used for clients with a `keyPrefix`.
 *
 * KEYS[1]   any key            'sess:x3J…'
 *
 * returns   {bytes}            0 if there is no such key
 */
export const MEMORY = defineScript(
  'memory',
  "return {redis.call('MEMORY', 'USAGE', KEYS[1]) or 0}",
  ([bytes]) => bytes,
  { isRead: true },
)
