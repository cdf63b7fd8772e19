import { asDestroyReason, type DestroyReason } from '../../events.js'
import { BOOKKEEPING } from './bookkeeping.lua.js'
import { hashFrom, integerAt, type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'

/*
 * Scripts for the end of a session. If its content is still needed (`onEnd` option), the key stays until a process
 * has confirmed that the content was handed over. With flag E, no request can load the session. The details of the
 * end are in `@end`: `<reason> <when> <claimed until>`, times in milliseconds since 1970, in base 36.
 */

/**
 * Without free memory (OOM), Redis refuses the first write of a script if it needs memory, but no write that follows
 * another write. A script that frees a whole session must not fail because it needs a few bytes, so an HDEL precedes
 * the second attempt.
 */
const WRITE_END = `
local function write_end(key, s, told)
  local reply = redis.pcall('HSET', key, '@', format(s), '@end', told)
  if type(reply) == 'number' then return reply end
  redis.pcall('HDEL', key, '@end.')
  return redis.pcall('HSET', key, '@', format(s), '@end', told)
end
`

/**
 * Ends a session and returns its index fields, so that its index entries can be dropped.
 *
 * KEYS[1]   session key                    'sess:x3J…'
 * ARGV[1]   only if it belongs to this index …       'user', '' = in any case
 * ARGV[2]   … under this value                       'u-1'
 * ARGV[3]   ms its content is kept for onEnd         '86400000', '' = it is deleted
 * ARGV[4]   reason                                   'revoked', '' = it continues under another id
 * ARGV[5]   absolute timeout, ms, '' = none
 * ARGV[6]   ms for which the caller claims the hand-over of its content at once (CLAIM), '' = it does not
 *
 * returns   {1, field, text, …}   ended; its index fields, or all its fields if it continues
 *           {4, '@end' text, field, text, …}   ended, and claimed; all its fields
 *           {2, field, text, …}   ended, but this Redis user may not keep its content: all its fields
 *           {3, string}           ended; the string of connect-redis, which is not kept; only where it is needed
 *           {0}                   there is no session, or it had already ended
 *           {5}                   it does not belong to this index value: left unchanged
 *           {6}                   it has moved away: left unchanged
 *           {9, token}            it is still arriving here: left unchanged
 */
export const END = defineScript(
  'end',
  `${BOOKKEEPING}${WRITE_END}
local key = KEYS[1]
local index, value, kept_ms, reason, absolute, claim_ms = unpack(ARGV, 1, 6)
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {0} end
local reply, isFound, s, all = {1}, index == '', nil, {}
if kind == 'hash' then
  all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local name = string.match(all[i], '^@i:([^.]*)')
    if all[i] == '@' then s = parse(all[i + 1]) end
    if name or reason == '' then
      reply[#reply + 1], reply[#reply + 2] = all[i], all[i + 1]
      if name and name == index and string.gsub(all[i + 1], '^%d+:', '') == value then isFound = true end
    end
  end
end
if s and has_flag(s, MOVED) then return {6} end
if s and has_flag(s, ARRIVING) then return {9, redis.call('HGET', key, '@move') or ''} end
if s and string.find(s.flags, LASTING) and is_over(s, now_us(), absolute) then return {0} end
if not isFound then return {5} end

if kind == 'string' and (kept_ms ~= '' or reason == '') then reply = {3, redis.call('GET', key)} end
if kept_ms ~= '' and s then
  s.flags = string.gsub(s.flags, OUTLIVING, '') .. ENDED
  local now_ms = math.floor(now_us() / 1000)
  local claimed = claim_ms == '' and '0' or base36(now_ms + tonumber(claim_ms))
  local told = reason .. ' ' .. base36(now_ms) .. ' ' .. claimed
  if type(write_end(key, s, told)) == 'number' then
    -- The key keeps at least the TTL it had: if the queue was out of reach, the session is looked for when it would
    -- have expired.
    if redis.call('PTTL', key) < tonumber(kept_ms) then redis.pcall('PEXPIRE', key, kept_ms) end
    if claim_ms == '' then return reply end
    reply, all = {4, told}, redis.call('HGETALL', key)
    for i = 1, #all do reply[2 + i] = all[i] end
    return reply
  end
  reply = {2}
  for i = 1, #all do reply[i + 1] = all[i] end
end
redis.call('DEL', key)
return reply
`,
  decodeEnd,
)

/** `unkept`: this Redis user may not keep its content. `elsewhere`: it does not belong to the given index value. */
export type EndReply =
  | { kind: 'ended' | 'unkept'; fields: string[] }
  | Claimed
  | { kind: 'ended-string'; text: string }
  | { kind: 'gone' }
  | { kind: 'elsewhere' }
  | { kind: 'moved' }
  | { kind: 'arriving'; token: string }

function decodeEnd(reply: ScriptReply): EndReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'ended', fields: hashFrom(reply, 1) }
    case 2:
      return { kind: 'unkept', fields: hashFrom(reply, 1) }
    case 3:
      return { kind: 'ended-string', text: textAt(reply, 1) }
    case 4:
      return claimedIn(textAt(reply, 1), false, hashFrom(reply, 2))
    case 0:
      return { kind: 'gone' }
    case 5:
      return { kind: 'elsewhere' }
    case 6:
      return { kind: 'moved' }
    case 9:
      return { kind: 'arriving', token: textAt(reply, 1) }
    default:
      return unexpectedReply()
  }
}

/**
 * Claims an ended session for the hand-over of its content. A session past its deadline is ended by the claim.
 *
 * KEYS[1]   session key                    'sess:x3J…'
 * ARGV[1]   absolute timeout, ms, '' = none
 * ARGV[2]   ms after which another process may claim it   '60000'
 * ARGV[3]   ms its content is kept after its end          '86400000'
 *
 * returns   {1, '@end' text, 1 | 0 ended by this claim, field, text, …}   claimed; all its fields
 *           {3, ms}   it has not ended; ms until it will, -1 = never, as it is now
 *           {4, ms}   another process has claimed it; ms until that claim ends
 *           {5}       it is still arriving here
 *           {0}       there is no session
 */
export const CLAIM = defineScript(
  'claim',
  `${BOOKKEEPING}${WRITE_END}
local key = KEYS[1]
local absolute, claim_ms, kept_ms = unpack(ARGV, 1, 3)
if redis.call('TYPE', key).ok ~= 'hash' then return {0} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s or has_flag(s, MOVED) then return {0} end
if has_flag(s, ARRIVING) then return {5} end
local now = now_us()
local now_ms = math.floor(now / 1000)

local hasEnded = has_flag(s, ENDED)
local reason, at, claimed
if hasEnded then
  reason, at, claimed = string.match(redis.call('HGET', key, '@end') or '', '^(%a+) ([0-9a-z]+) ([0-9a-z]+)$')
  if not reason then reason, at, claimed = 'destroyed', base36(now_ms), '0' end
  local left = tonumber(claimed, 36) - now_ms
  if left > 0 then return {4, left} end
  -- A process has found it before, so another one will find it again.
  local kept = math.max(tonumber(at, 36) + tonumber(kept_ms) - now_ms, tonumber(claim_ms))
  if claimed ~= '0' and redis.call('PTTL', key) > kept then redis.pcall('PEXPIRE', key, kept) end
elseif has_flag(s, KEPT) then
  local limit = limit_ms(s, absolute)
  if age_ms(s, now) < limit then return {3, limit - age_ms(s, now)} end
  reason, at = 'expired', base36(math.floor(tonumber(s.created, 36) / 1000) + limit)
else
  return {3, redis.call('PTTL', key)}
end

s.flags = string.gsub(s.flags, LASTING, '') .. ENDED
local told = reason .. ' ' .. at .. ' ' .. base36(now_ms + tonumber(claim_ms))
local written = write_end(key, s, told)
if type(written) ~= 'number' then return written end
local reply = {1, told, hasEnded and 0 or 1}
local all = redis.call('HGETALL', key)
for i = 1, #all do reply[3 + i] = all[i] end
return reply
`,
  decodeClaim,
)

/** An ended session that this process has claimed. */
export interface Claimed {
  kind: 'claimed'
  /** The '@end' text, for FORGET. */
  told: string
  reason: DestroyReason
  endedAt: Date
  /** Whether the claim has ended the session. */
  hasEndedNow: boolean
  /** All fields of the session, `[field, text, …]`. */
  fields: string[]
}

/** `alive`: ms until it ends, -1 = never, as it is now. `taken`: ms until the claim of another process ends. */
export type ClaimReply =
  | Claimed
  | { kind: 'alive' | 'taken'; leftMs: number }
  | { kind: 'arriving' }
  | { kind: 'nothing' }

function decodeClaim(reply: ScriptReply): ClaimReply {
  switch (reply[0]) {
    case 1:
      return claimedIn(textAt(reply, 1), integerAt(reply, 2) === 1, hashFrom(reply, 3))
    case 3:
      return { kind: 'alive', leftMs: integerAt(reply, 1) }
    case 4:
      return { kind: 'taken', leftMs: integerAt(reply, 1) }
    case 5:
      return { kind: 'arriving' }
    case 0:
      return { kind: 'nothing' }
    default:
      return unexpectedReply()
  }
}

function claimedIn(told: string, hasEndedNow: boolean, fields: string[]): Claimed {
  const [, reason, at] = /^([A-Za-z]+) ([0-9a-z]+) [0-9a-z]+$/.exec(told) ?? unexpectedReply()
  return {
    kind: 'claimed',
    told,
    reason: asDestroyReason(reason),
    endedAt: new Date(Number.parseInt(at ?? '', 36)),
    hasEndedNow,
    fields,
  }
}

/**
 * Deletes the key of a session whose content has been handed over.
 *
 * KEYS[1]   session key                    'sess:x3J…'
 * ARGV[1]   '@end' text of the claim; with another text the key stays
 *
 * returns   {1}   deleted
 *           {0}   there is no such session any more
 *           {4}   another process has claimed it since
 */
export const FORGET = defineScript(
  'forget',
  `local key, told = KEYS[1], ARGV[1]
if redis.call('TYPE', key).ok ~= 'hash' then return {0} end
local held = redis.call('HGET', key, '@end')
if not held then return {0} end
if held ~= told then return {4} end
redis.call('DEL', key)
return {1}
`,
  decodeForget,
)

/** `taken`: another process has claimed it since. */
export type ForgetReply = 'deleted' | 'gone' | 'taken'

function decodeForget([code]: ScriptReply): ForgetReply {
  if (code === 1) return 'deleted'
  if (code === 4) return 'taken'
  return code === 0 ? 'gone' : unexpectedReply()
}
