import type { Bookkeeping } from '../../hash/bookkeeping.js'
import { pairsOf } from '../../hash/fields.js'
import { BOOKKEEPING } from './bookkeeping.lua.js'
import { hashFrom, integerAt, isOne, type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'
import { FOREIGN, type Foreign, metaAt } from './session-reply.js'

/*
 * The steps that move a session from one key to another, each on one key (session/move.ts explains why this is
 * safe). Flag Y: the session is arriving at this key, and is not there yet. Flag Z: it has moved away, and this
 * marker names its new id.
 */

/** Maximum lifetime of what an interrupted move leaves behind if sessions have no TTL: 30 days. */
const MAX_MS = 30 * 24 * 3_600_000

/**
 * Identifies the state of a session by everything that its key holds: every write changes the state, and no state
 * occurs again.
 */
export const STATE = `${BOOKKEEPING}
local function state_of(all)
  local digests = {}
  -- A hash returns its fields in any order.
  for i = 1, #all, 2 do digests[#digests + 1] = redis.sha1hex(#all[i] .. ' ' .. all[i] .. all[i + 1]) end
  table.sort(digests)
  return redis.sha1hex(table.concat(digests))
end
`

/**
 * Reads a session that will be moved. Changes nothing.
 *
 * KEYS[1]   old session key        'sess:x3J…'
 * ARGV[1]   absolute timeout, ms, '' = none
 * ARGV[2]   1 = also a session that came here less than a minute ago
 *
 * returns   {1, '@' text, PTTL, when its key expires, state, field, text, …}   state: the argument for DEPART
 *           {0}    nothing to move: there is no session
 *           {3}    a string of connect-redis, which must be converted first
 *           {4, stored id, token}   it has moved away, to this id
 *           {5}    it is still arriving here
 *           {6}    it stays here: Redis may not set a TTL, or it came here less than a minute ago
 *           {-1}   the key belongs to something else
 */
export const PACK = defineScript(
  'pack',
  `${STATE}
local key, absolute, is_one_way = KEYS[1], ARGV[1], ARGV[2]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {0} end
if kind == 'string' then return {3} end
if kind ~= 'hash' then return {-1} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s then return {-1} end
if has_flag(s, MOVED) then return {4, redis.call('HGET', key, '@to') or '', redis.call('HGET', key, '@move') or ''} end
if has_flag(s, ARRIVING) then return {5} end
if is_over(s, now_us(), absolute) then return {0} end
if has_flag(s, UNEXPIRING) then return {6} end
local moved = tonumber(redis.call('HGET', key, '@moved') or '0') or 0
if is_one_way ~= '1' and math.abs(now_us() / 1000000 - moved) < 60 then return {6} end
local all = redis.call('HGETALL', key)
local ttl, expires = expiry_of(key)
local reply = {1, format(s), ttl, ttl < 0 and '' or expires, state_of(all)}
for i = 1, #all, 2 do
  if all[i] ~= '@' and all[i] ~= '@moved' then
    reply[#reply + 1] = all[i]
    reply[#reply + 1] = all[i + 1]
  end
end
return reply
`,
  decodePack,
)

/** The content of a session's key, to be written to another key. */
export interface Packed {
  kind: 'packed'
  meta: Bookkeeping
  metaText: string
  /** -1 = none. */
  ttlMs: number
  /** When the key expires, milliseconds since 1970 by Redis's clock; '' = never. */
  expiresAt: string
  /** Identifies the state that was read. */
  state: string
  fields: [field: string, stored: string][]
}

export type PackReply = Packed | MovedAway | { kind: 'nothing' | 'string' | 'arriving' | 'stays' }

/** A marker: the session that was here has moved to this id. */
export interface MovedAway {
  kind: 'moved'
  to: string
  token: string
}

function decodePack(reply: ScriptReply): PackReply {
  switch (reply[0]) {
    case 1:
      return packedIn(reply)
    case 4:
      return movedIn(reply)
    case 3:
      return { kind: 'string' }
    case 5:
      return { kind: 'arriving' }
    case 6:
      return { kind: 'stays' }
    case 0:
    case -1:
      return { kind: 'nothing' }
    default:
      return unexpectedReply()
  }
}

function packedIn(reply: ScriptReply): Packed {
  return {
    kind: 'packed',
    meta: metaAt(reply, 1),
    metaText: textAt(reply, 1),
    ttlMs: integerAt(reply, 2),
    expiresAt: textAt(reply, 3),
    state: textAt(reply, 4),
    fields: pairsOf(hashFrom(reply, 5)),
  }
}

function movedIn(reply: ScriptReply): MovedAway {
  return { kind: 'moved', to: textAt(reply, 1), token: textAt(reply, 2) }
}

/**
 * Writes a copy to the new key, unless there is one already. No request treats the copy as the session yet. It lives
 * as long as the session, because once the session has departed, the copy is all that is left of it.
 *
 * KEYS[1]   new session key        'sess:Pq0…'
 * ARGV[1]   '@' text
 * ARGV[2]   state it is a copy of
 * ARGV[3]   token                  '<state>.b3J…', identifies this copy
 * ARGV[4]   token of an earlier copy that it may replace, '' = none
 * ARGV[5]   stored id it comes from
 * ARGV[6]   when it expires, milliseconds since 1970; '' = never, once it has arrived
 * ARGV[7…]  field, text, …
 *
 * returns   {1, token}   of the copy that is there now: this one, or another one of the same state
 *           {2}          the session is there already
 *           {4, token}   there is a copy of another state
 *           {5}          the previous session under this id waits for onEnd: call again
 *           {6, stored id, token}   a marker: the session that was here has moved to this id
 *           {-1}         the key belongs to something else
 */
export const ARRIVE = defineScript(
  'arrive',
  `${BOOKKEEPING}
local key = KEYS[1]
local meta, state, own, replaceable, from, expires = unpack(ARGV, 1, 6)
local kind = redis.call('TYPE', key).ok
if kind == 'hash' then
  local s = parse(redis.call('HGET', key, '@') or '')
  if not s then return {-1} end
  if has_flag(s, ENDED) then return {5} end
  if has_flag(s, MOVED) then return {6, redis.call('HGET', key, '@to') or '', redis.call('HGET', key, '@move') or ''} end
  if not has_flag(s, ARRIVING) then return {2} end
  local token = redis.call('HGET', key, '@move') or ''
  local isSame = string.sub(token, 1, #state) == state and redis.call('HGET', key, '@from') == from
  if isSame then return {1, token} end
  if token ~= replaceable then return {4, token} end
  redis.call('DEL', key)
elseif kind ~= 'none' then
  return {-1}
end
local s = parse(meta)
s.flags = s.flags .. ARRIVING
local fields = slice(7, #ARGV)
-- A value that is encrypted anew, or for the first time, may have another length.
s.size = base36(weigh(fields))
local head = {'@', format(s), '@move', own, '@from', from}
if expires == '' then head[7], head[8] = '@endless', '1' end
hset(key, head)
hset(key, fields)
if expires == '' then
  redis.pcall('PEXPIRE', key, ${MAX_MS})
elseif type(redis.pcall('PEXPIREAT', key, expires)) ~= 'number' then
  -- A store without indexes may lack that permission.
  redis.pcall('PEXPIRE', key, math.max(1, tonumber(expires) - math.floor(now_us() / 1000)))
end
return {1, own}
`,
  decodeArrive,
)

/**
 * `copied`: a copy of this state is there now. `present`: the session is. `kept`: the previous session waits for
 * `onEnd`.
 */
export type ArriveReply =
  | { kind: 'copied' | 'other-copy'; token: string }
  | MovedAway
  | { kind: 'present' | 'kept' }
  | Foreign

function decodeArrive(reply: ScriptReply): ArriveReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'copied', token: textAt(reply, 1) }
    case 2:
      return { kind: 'present' }
    case 4:
      return { kind: 'other-copy', token: textAt(reply, 1) }
    case 5:
      return { kind: 'kept' }
    case 6:
      return movedIn(reply)
    case -1:
      return FOREIGN
    default:
      return unexpectedReply()
  }
}

/**
 * Removes the session from its old key; at this moment the copy becomes the session. Leaves a marker that says so.
 * Any process that finds the copy completes the move with this marker, which lives as long as the session would
 * have.
 *
 * KEYS[1]   old session key        'sess:x3J…'
 * ARGV[1]   state it must still be in
 * ARGV[2]   stored id it moves to, '' = it is already there: no marker
 * ARGV[3]   token of the copy      '<state>.b3J…'
 *
 * returns   {1}    departed, by this call or by an earlier one with the same copy
 *           {0}    it has changed since, or ended
 */
export const DEPART = defineScript(
  'depart',
  `${STATE}
local key = KEYS[1]
local state, to, token = unpack(ARGV, 1, 3)
if redis.call('TYPE', key).ok ~= 'hash' then return {0} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s then return {0} end
if has_flag(s, MOVED) then return {redis.call('HGET', key, '@move') == token and 1 or 0} end
if is_shut(s) or state_of(redis.call('HGETALL', key)) ~= state then return {0} end
local ttl = redis.call('PTTL', key)
redis.call('DEL', key)
if to == '' then return {1} end
s.flags, s.size = MOVED, ''
redis.call('HSET', key, '@', format(s), '@to', to, '@move', token)
redis.pcall('PEXPIRE', key, ttl < 0 and ${MAX_MS} or ttl)
return {1}
`,
  isOne,
)

/**
 * Turns the copy of a departed session into the session. Any process that finds both the marker and the copy may do
 * so.
 *
 * KEYS[1]   new session key        'sess:Pq0…'
 * ARGV[1]   token of the copy      '<state>.b3J…'
 *
 * returns   {1}    it is the session now
 *           {0}    there is no such copy any more
 */
export const SETTLE = defineScript(
  'settle',
  `${BOOKKEEPING}
local key, token = KEYS[1], ARGV[1]
if redis.call('TYPE', key).ok ~= 'hash' or redis.call('HGET', key, '@move') ~= token then return {0} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s or not has_flag(s, ARRIVING) then return {0} end
s.flags = string.gsub(s.flags, ARRIVING, '')
redis.call('HSET', key, '@', format(s), '@moved', redis.call('TIME')[1])
redis.call('HDEL', key, '@move', '@from')
if redis.call('HDEL', key, '@endless') == 1 then redis.pcall('PERSIST', key) end
return {1}
`,
  isOne,
)

/**
 * Deletes what a move leaves behind: the marker, or a copy that will not become the session.
 *
 * KEYS[1]   session key            'sess:x3J…'
 * ARGV[1]   flag it must carry     'Z' | 'Y'
 * ARGV[2]   token it must carry
 *
 * returns   {1 | 0 deleted}
 */
export const CLEAR_AWAY = defineScript(
  'clear-away',
  `${BOOKKEEPING}
local key = KEYS[1]
local flag, token = unpack(ARGV, 1, 2)
if redis.call('TYPE', key).ok ~= 'hash' then return {0} end
local s = parse(redis.call('HGET', key, '@') or '')
if not s or not has_flag(s, flag) or redis.call('HGET', key, '@move') ~= token then return {0} end
return {redis.call('DEL', key)}
`,
  isOne,
)
