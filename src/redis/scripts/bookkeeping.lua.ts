/**
 * Lua shared by the scripts that write the `@` field (its form: record/bookkeeping.ts).
 *
 * Time is Redis's own, so that servers with different clocks agree. Numbers are in base 36, which `tonumber(text, 36)`
 * reads. HSET goes first wherever a script can be refused half-way (OOM, ACL): nothing has been written by then.
 */
export const BOOKKEEPING = `
local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

local function base36(n)
  local digits, out = '0123456789abcdefghijklmnopqrstuvwxyz', ''
  repeat
    local d = n % 36
    out = string.sub(digits, d + 1, d + 1) .. out
    n = (n - d) / 36
  until n == 0
  return out
end

local function parse(meta)
  return string.match(meta, '^(%w+) (%w+) (%w+) (%w+) ?(%w*)$')
end

local function format(created, seen, idle, rev, flags)
  local meta = created .. ' ' .. seen .. ' ' .. idle .. ' ' .. rev
  if flags ~= '' then meta = meta .. ' ' .. flags end
  return meta
end

-- Lua's stack limits how many arguments one call may take.
local function hset(key, pairs)
  for i = 1, #pairs, 1000 do
    redis.call('HSET', key, unpack(pairs, i, math.min(i + 999, #pairs)))
  end
end

local function hdel(key, fields)
  for i = 1, #fields, 1000 do
    redis.call('HDEL', key, unpack(fields, i, math.min(i + 999, #fields)))
  end
end

-- Milliseconds this session may live from now: its idle timeout, cut at its absolute deadline.
local function lifetime(created, now, idle, absolute)
  local left = idle
  if absolute ~= '' then
    left = math.min(left, math.floor(tonumber(created, 36) / 1000) + tonumber(absolute) - math.floor(now / 1000))
  end
  return left
end

-- Sets the key's time to live. Returns false where the Redis user may not: the session then carries the flag X, and
-- reads enforce the limit.
local function expire(key, mode, ms)
  if mode == 'none' then
    redis.pcall('PERSIST', key)
    return true
  end
  return type(redis.pcall('PEXPIRE', key, ms)) == 'number'
end

local function slice(from, to, ...)
  local out = {...}
  for i = from, to do out[#out + 1] = ARGV[i] end
  return out
end
`
