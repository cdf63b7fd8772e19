import { BOOKKEEPING } from './bookkeeping.lua.js'
import { type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import {
  type Contended,
  contendedIn,
  FOREIGN,
  type Foreign,
  type Gone,
  goneIn,
  type TooLarge,
  tooLargeIn,
  type Written,
  writtenIn,
} from './session-reply.js'

/** Idle timeout that is noted for a session whose string has no TTL, and whose cookie has no `maxAge`. */
const DAY_MS = 86_400_000

/**
 * Saves a session that was loaded from connect-redis's JSON string. The first save turns the string into a hash. A
 * second save finds the hash and writes only its own changes, so neither save loses the changes of the other.
 *
 * KEYS[1]   session key                              'sess:x3J…'
 * ARGV[1]   SHA-1 of the string that was loaded
 * ARGV[2]   idle timeout, ms; with 'keep' also '' = unknown: what is left of it
 * ARGV[3]   absolute timeout, ms, '' = none
 * ARGV[4]   'expire' | 'none' (disableTTL) | ms that the key outlives the session by (onEnd) | 'keep': the session is
 *           not used now, so it keeps the TTL that the string has; 'keep-endless': also if that is none. Either may be
 *           followed by the ms that the key outlives the session by: 'keep 86400000'
 * ARGV[5]   cookie flags
 * ARGV[6]   1 = idle timeout and cookie flags are as loaded: a hash keeps its own
 * ARGV[7]   maxBytes
 * ARGV[8]   bytes of the properties in the string, as this hash would hold them
 * ARGV[9]   number of pairs n, all properties of the session
 * ARGV[10]  how many of them are changes m: the first m pairs
 * ARGV[11…] n times field, text; then the fields to remove
 *
 * returns   {1, '@' text, 1 | 0 expiry set}
 *           {2, '@' text, 1 | 0}  as 1, but another request had made a hash of it before: the changes were added to it
 *           {0}           refused: the session is gone
 *           {3, string}   connect-redis wrote meanwhile: merge with this and call again
 *           {8, bytes}    the changes would make the session larger, and exceed maxBytes: nothing was written
 *           {-1}          the key is neither a string nor a session hash
 */
export const CONVERT = defineScript(
  'convert',
  `${BOOKKEEPING}
local key = KEYS[1]
local sha, idle, absolute, mode, flags, is_as_loaded, max, bytes, pairs_count, changes_count = unpack(ARGV, 1, 10)
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {0} end
if kind ~= 'string' and kind ~= 'hash' then return {-1} end
local keeps, outlives = string.match(mode, '^(keep%S*) ?(%d*)$')
local kept, expires
if keeps then mode = outlives ~= '' and outlives or 'expire' end
if keeps and kind == 'string' then kept, expires = expiry_of(key) end

local now = now_us()
local all_end = 10 + 2 * tonumber(pairs_count)
local s, fields, removed
if kind == 'string' then
  local text = redis.call('GET', key)
  if redis.sha1hex(text) ~= sha then return {3, text} end
  s = {created = base36(now), saves = '1'}
  fields, removed = slice(11, all_end), {}
  local size = weigh(fields)
  if size > tonumber(max) and size > tonumber(bytes) then return {8, size} end
  s.size = base36(size)
else
  s = parse(redis.call('HGET', key, '@') or '')
  if not s then return {-1} end
  if is_shut(s) or is_overdue(s, now, absolute) then return {0} end
  -- The process that made a hash of it has given it its time.
  if keeps and changes_count == '0' and #ARGV == all_end then return {2, format(s), 1} end
  s.saves = base36(tonumber(s.saves, 36) + 1)
  fields, removed = slice(11, 10 + 2 * tonumber(changes_count)), slice(all_end + 1, #ARGV)
  local growth = weigh(fields)
  for i = 1, #fields, 2 do growth = growth - weight(fields[i], redis.call('HGET', key, fields[i])) end
  for i = 1, #removed do growth = growth - weight(removed[i], redis.call('HGET', key, removed[i])) end
  local refusal = resize(key, s, growth, max)
  if refusal then return refusal end
  if is_as_loaded == '1' then idle = '=' end
end

local left
if kept then
  -- The TTL tells when the session was used last. It began then at the latest.
  local has_ttl = kept > 0
  if not has_ttl and keeps == 'keep-endless' then mode = 'none' end
  idle = tonumber(idle) or (has_ttl and kept or ${DAY_MS})
  if has_ttl then s.created = base36(now - math.max(0, idle - kept) * 1000) end
  refresh(s, tonumber(s.created, 36), idle, '', flags, mode)
  left = has_ttl and kept or idle
  if absolute ~= '' then left = math.min(left, tonumber(absolute) - age_ms(s, now)) end
else
  left = refresh(s, now, idle, absolute, flags, mode)
end
if left <= 0 then
  redis.call('DEL', key)
  return {0}
end
if kind == 'string' then drop_string(key) end
table.insert(fields, 1, format(s))
table.insert(fields, 1, '@')
hset(key, fields)
hdel(key, removed)
local meta, is_set = expire(key, s, mode, left)
if left == kept then redis.pcall('PEXPIREAT', key, string.format('%.0f', tonumber(expires) + (tonumber(mode) or 0))) end
return {kind == 'string' and 1 or 2, meta, is_set}
`,
  decodeConvert,
)

/** `contended`: another request had already made a hash of it. `string`: what connect-redis has written meanwhile. */
export type ConvertReply = Written | Contended | Gone | Foreign | TooLarge | { kind: 'string'; text: string }

function decodeConvert(reply: ScriptReply): ConvertReply {
  switch (reply[0]) {
    case 1:
      return writtenIn(reply)
    case 2:
      return contendedIn(reply, [])
    case 0:
      return goneIn(reply)
    case 3:
      return { kind: 'string', text: textAt(reply, 1) }
    case 8:
      return tooLargeIn(reply)
    case -1:
      return FOREIGN
    default:
      return unexpectedReply()
  }
}
