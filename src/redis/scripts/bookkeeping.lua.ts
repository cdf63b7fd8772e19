import { FLAG } from '../../hash/bookkeeping.js'

const { unexpiring, kept, ended, arriving, moved } = FLAG

/**
 * Lua code shared by the scripts that write the `@` field (format: hash/bookkeeping.ts).
 *
 * Times come from the clock of Redis, so that servers with different clocks agree. Numbers are in base 36, which
 * `tonumber(text, 36)` reads. If Redis can refuse a script half-way (OOM, ACL), HSET is the first write, so that
 * nothing has been written when it is refused.
 */
export const BOOKKEEPING = `
-- Flags (hash/bookkeeping.ts says what each means), and patterns for several of them.
local UNEXPIRING, KEPT, ENDED, ARRIVING, MOVED = '${unexpiring}', '${kept}', '${ended}', '${arriving}', '${moved}'
-- The key may outlive its session.
local OUTLIVING = '[${kept}${unexpiring}]'
-- The session may be over while its key is there.
local LASTING = '[${ended}${kept}${unexpiring}]'
-- The content is still wanted, or will be once the session is over (on-end/hand-over.ts).
local WANTED = '[${ended}${kept}]'
-- No request may write here: the session has ended, is on the way to this key, or has moved away (redis/scripts/end.ts,
-- move.ts).
local SHUT = '[${ended}${arriving}${moved}]'

local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- The loop ends whatever n is, also for NaN: an endless one would stop Redis for everybody.
local function base36(n)
  local digits, out = '0123456789abcdefghijklmnopqrstuvwxyz', ''
  repeat
    local d = n % 36
    out = string.sub(digits, d + 1, d + 1) .. out
    n = (n - d) / 36
  until not (n > 0)
  return out
end

local function parse(meta)
  local created, seen, idle, saves, flags =
    string.match(meta, '^([0-9a-z]+) ([0-9a-z]+) ([0-9a-z]+) ([0-9a-z]+)(.*)$')
  if not created or #created > 12 or #seen > 10 or #idle > 10 or #saves > 10 then return nil end
  -- A session from before sizes were kept has no size.
  local size = string.match(flags, ' #([0-9a-z]+)$') or ''
  if #size > 10 then return nil end
  if size ~= '' then flags = string.sub(flags, 1, -3 - #size) end
  if flags ~= '' then
    flags = string.match(flags, '^ (%a+)$')
    if not flags or #flags > 16 then return nil end
  end
  return {created = created, seen = seen, idle = idle, saves = saves, flags = flags, size = size}
end

local function format(s)
  local meta = s.created .. ' ' .. s.seen .. ' ' .. s.idle .. ' ' .. s.saves
  if s.flags ~= '' then meta = meta .. ' ' .. s.flags end
  if s.size ~= '' then meta = meta .. ' #' .. s.size end
  return meta
end

-- The bytes that a field counts for maxBytes. Bookkeeping counts nothing, so that no login and no touch fails for size.
local function weight(field, text)
  if not text or field == '@' or string.find(field, '^@%l') then return 0 end
  return #field + #text
end

-- @param list field, text, field, text, ...
local function weigh(list)
  local size = 0
  for i = 1, #list, 2 do size = size + weight(list[i], list[i + 1]) end
  return size
end

-- Notes by how much a write changes the size of the session. done: by how much it has changed the fields already.
-- Returns the script's reply if the write is refused, because it makes the session larger, and larger than allowed.
-- Before it refuses, and wherever the noted size cannot be right (somebody has written without counting), it looks at
-- all fields.
local function resize(key, s, growth, max, is_doubted, done)
  local limit = growth > 0 and tonumber(max) or math.huge
  local size = tonumber(s.size, 36)
  if not size or is_doubted or size + growth < 0 or size + growth > limit then
    size = weigh(redis.call('HGETALL', key)) - (done or 0)
  end
  if size + growth > limit then return {8, size + growth} end
  s.size = base36(size + growth)
end

-- Milliseconds since the session began; 0 if the clock has been set back since.
local function age_ms(s, now)
  return math.max(0, math.floor(now / 1000) - math.floor(tonumber(s.created, 36) / 1000))
end

local function has_flag(s, flag)
  return string.find(s.flags, flag, 1, true) ~= nil
end

-- Milliseconds after its creation at which the session ends if nobody uses it any more.
local function limit_ms(s, absolute)
  local limit = tonumber(s.seen, 36) + tonumber(s.idle, 36)
  if absolute ~= '' then limit = math.min(limit, tonumber(absolute)) end
  return limit
end

-- A key outlives its session where Redis could give it no TTL, and where its content is still wanted. This limit then
-- ends the session.
local function is_overdue(s, now, absolute)
  return string.find(s.flags, OUTLIVING) ~= nil and age_ms(s, now) >= limit_ms(s, absolute)
end

local function is_shut(s)
  return string.find(s.flags, SHUT) ~= nil
end

local function is_over(s, now, absolute)
  return has_flag(s, ENDED) or is_overdue(s, now, absolute)
end

-- Returns the session to change, or nil and the script's reply: {0} there is none, {0, 'arriving'} it is not here yet,
-- {-1} the key belongs to something else.
local function open(key, absolute)
  local meta = redis.pcall('HGET', key, '@')
  if type(meta) == 'table' then
    if string.find(meta.err, 'WRONGTYPE', 1, true) then return nil, {-1} end
    return nil, meta
  end
  if not meta then return nil, {redis.call('EXISTS', key) == 1 and -1 or 0} end
  local s = parse(meta)
  if not s then return nil, {-1} end
  if has_flag(s, ARRIVING) then return nil, {0, 'arriving'} end
  if s.flags ~= '' and (is_shut(s) or is_overdue(s, now_us(), absolute)) then return nil, {0} end
  return s
end

-- Counts a use of the session now. Idle timeout and cookie flags are '=' where the caller has not changed them, because
-- another request may have. Returns the milliseconds that the session may live from now on: its idle timeout, cut at
-- its absolute deadline. For the mode, see expire.
local function refresh(s, now, idle, absolute, flags, mode)
  local age = age_ms(s, now)
  if idle == '=' then
    idle, flags = tonumber(s.idle, 36), string.gsub(s.flags, OUTLIVING, '')
  end
  if tonumber(mode) then flags = flags .. KEPT end
  s.seen, s.idle, s.flags = base36(age), base36(tonumber(idle)), flags
  if absolute == '' then return tonumber(idle) end
  return math.min(tonumber(idle), tonumber(absolute) - age)
end

-- Lua's stack limits how many arguments one call may take.
local function hset(key, fields)
  for i = 1, #fields, 1000 do
    redis.call('HSET', key, unpack(fields, i, math.min(i + 999, #fields)))
  end
end

local function hdel(key, fields)
  for i = 1, #fields, 1000 do
    redis.call('HDEL', key, unpack(fields, i, math.min(i + 999, #fields)))
  end
end

-- Notes that Redis may not let the session expire. Returns the '@' text.
local function keep(key, s)
  s.flags = s.flags .. UNEXPIRING
  redis.call('HSET', key, '@', format(s))
  return format(s)
end

-- Gives the key its time to live, and returns the script's reply: the '@' text, and 1; or 0 where the Redis user may
-- not set a TTL, and the session becomes UNEXPIRING. mode: 'expire', 'none' (disableTTL), or the milliseconds by which
-- the key outlives the session (onEnd).
local function expire(key, s, mode, ms)
  if mode == 'none' then
    redis.pcall('PERSIST', key)
    return format(s), 1
  end
  if type(redis.pcall('PEXPIRE', key, ms + (tonumber(mode) or 0))) == 'number' then return format(s), 1 end
  return keep(key, s), 0
end

-- Returns the TTL of a key, and when it expires, in milliseconds since 1970, as PEXPIREAT takes it. Before 7.2, Redis's
-- clock goes on during a script.
local function expiry_of(key)
  local ttl, at
  for _ = 1, 10 do
    at = math.floor(now_us() / 1000)
    ttl = redis.call('PTTL', key)
    if math.floor(now_us() / 1000) == at then break end
  end
  return ttl, string.format('%.0f', at + ttl)
end

local function slice(from, to)
  local out = {}
  for i = from, to do out[#out + 1] = ARGV[i] end
  return out
end

-- Makes room for a hash. If Redis would refuse to write one, the string must not be lost: HSET on a string gets
-- WRONGTYPE if nothing else is wrong. Redis has a function that asks for permission, but only since 7.0.
local function drop_string(key)
  local answer = redis.pcall('HSET', key, '@', '-')
  if not string.find(answer.err, 'WRONGTYPE', 1, true) then redis.call('HSET', key, '@', '-') end
  redis.call('DEL', key)
end
`
