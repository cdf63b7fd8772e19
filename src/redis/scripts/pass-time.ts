import { BOOKKEEPING } from './bookkeeping.lua.js'
import { done, integerAt } from './reply.js'
import { defineScript } from './script.js'

/**
 * Makes what a key holds older, as if time had passed. For tests of applications only (testing/pass-time.ts).
 *
 * All times move back by the same span: those of a session (`@`, `@login`, `@renew`, `@dc`, `@db`, `@end`, `@lv`, `@af`), the scores of
 * a sorted set, and the TTL. What would have expired meanwhile is deleted.
 *
 * KEYS[1]   any key of the store           'sess:x3J…'
 * ARGV[1]   by how much, ms                '1800000'
 *
 * returns   {1, 1 or 0}   whether the key is still there
 */
export const PASS_TIME = defineScript(
  'pass-time',
  `${BOOKKEEPING}
local key = KEYS[1]
local span = unpack(ARGV, 1, 1)
local ms = tonumber(span)

local function earlier(text, by)
  local time = tonumber(text, 36)
  return time and base36(math.max(0, time - by)) or text
end

-- Moves the words of a field that are times in milliseconds.
local function shift(field, words)
  local text = redis.call('HGET', key, field)
  if not text then return end
  local at = 0
  local shifted = string.gsub(text, '%S+', function(word)
    at = at + 1
    return words[at] and earlier(word, ms)
  end)
  redis.call('HSET', key, field, shifted)
end

local function shift_session()
  local s = parse(redis.call('HGET', key, '@') or '')
  if not s then return end
  s.created = earlier(s.created, ms * 1000)
  redis.call('HSET', key, '@', format(s))
  shift('@login', {true})
  shift('@renew', {false, true})
  shift('@dc', {false, true})
  shift('@db', {false, true})
  shift('@end', {false, true, true})
  shift('@lv', {false, true})
  shift('@af', {true})
end

-- A score is the time at which an entry ends; one below 0 is that time, negated.
local function shift_scores()
  local entries = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #entries, 2 do
    local score = tonumber(entries[i + 1])
    redis.call('ZADD', key, score < 0 and score + ms or score - ms, entries[i])
  end
end

local kind = redis.call('TYPE', key).ok
if kind == 'hash' then shift_session() end
if kind == 'zset' then shift_scores() end
local ttl = redis.call('PTTL', key)
if ttl < 0 then return {1, ttl == -2 and 0 or 1} end
if ttl > ms then
  redis.call('PEXPIRE', key, ttl - ms)
  return {1, 1}
end
redis.call('DEL', key)
return {1, 0}
`,
  (reply) => ({ isThere: integerAt(done(reply), 1) === 1 }),
)
