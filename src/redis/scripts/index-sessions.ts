import { done, hashFrom, integerAt, isOne, type ScriptReply, textAt, textsFrom, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'

/** An entry that expires sooner than this may belong to a session that is still being created. */
export const PENDING_MS = 10_000

/*
 * The members of an index. Their scores are the milliseconds since 1970 at which each expires:
 *
 *     x3J…            a session
 *     x3J… Pq0…       a session that is getting another id: it is, or was just now, under the first id, and will be
 *                     under the second id
 *     x3J… Pq0… !     the same, while it is being ended or has to be: what replaces the pair in this form ends the session
 *     !b3J… x3J…      not a session but a revocation: ! = all sessions are being ended except those listed, ? = only
 *                     those listed (REVOKE). Its score is below 0, so that counts by score do not include it
 *
 * A stored id contains no space and none of these marks.
 */
const INDEX = `
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function text(ms)
  return ms == math.huge and '+inf' or string.format('%.0f', ms)
end

local function drop_ended(key, now)
  redis.call('ZREMRANGEBYSCORE', key, '(-' .. text(now), '(' .. text(now))
end

-- The index lives as long as the longest of its entries.
local function keep(key)
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  if last == 'inf' then redis.pcall('PERSIST', key)
  elseif last then redis.pcall('PEXPIREAT', key, text(math.abs(tonumber(last)))) end
end

local function prune(key, now)
  drop_ended(key, now)
  keep(key)
end
`

const REVOCATIONS = `${INDEX}
local function revocations(key)
  local count = redis.call('ZCOUNT', key, '-inf', '(0')
  return count, count == 0 and {} or redis.call('ZRANGE', key, 0, count - 1)
end

local function names(revocation, id)
  return string.find(revocation .. ' ', ' ' .. id .. ' ', 1, true) ~= nil
end

local function means(revocation, from, to)
  local is_named = names(revocation, to) or names(revocation, from)
  return is_named == (string.sub(revocation, 1, 1) == '?')
end

-- Spares the id under which a spared session goes on. Returns the revocation as it stands now.
local function spare(key, revocation, to)
  if string.sub(revocation, 1, 1) == '?' or names(revocation, to) then return revocation end
  local score = redis.call('ZSCORE', key, revocation)
  redis.call('ZREM', key, revocation)
  redis.call('ZADD', key, score, revocation .. ' ' .. to)
  return revocation .. ' ' .. to
end

-- Whether the session under one of these ids may go on under another one: not if it is just being ended with others.
local function may_go_on(key, now, ids, to)
  drop_ended(key, now)
  local _, all = revocations(key)
  for _, revocation in ipairs(all) do
    local is_named = false
    for _, id in ipairs(ids) do is_named = is_named or names(revocation, id) end
    if is_named == (string.sub(revocation, 1, 1) == '?') then return false end
  end
  for _, revocation in ipairs(all) do spare(key, revocation, to) end
  return true
end
`

/**
 * Enters a session into an index, or prolongs its entry.
 *
 * KEYS[1]   index key                                'idx:sess:user:u-1'
 * ARGV[1]   member                                   'x3J…', 'x3J… Pq0…'
 * ARGV[2]   ms the session may live, '' = for ever   '1800000'
 * ARGV[3]   member that it replaces: only if either exists. '' or left out = none
 * ARGV[4…]  stored ids that the session may be under now, if it is getting another id: only if it is not being ended
 *
 * returns   {1}
 *           {0}   no member to replace, or the session is being ended
 */
export const ENTER = defineScript(
  'enter',
  `${REVOCATIONS}
local key = KEYS[1]
local member, live_ms, place = unpack(ARGV, 1, 3)
place = place or ''
local now = now_ms()
local ids = {}
for i = 4, #ARGV do ids[#ids + 1] = ARGV[i] end
if #ids > 0 and not may_go_on(key, now, ids, string.match(member, '%S+$')) then return {0} end
local ends = live_ms == '' and math.huge or now + tonumber(live_ms)
-- Another request may have given the session more time. The score always changes, so that a request that is about to
-- drop the entry of a session that has left the index (DROP) finds out that it has come back.
local known = redis.call('ZSCORE', key, member)
if place ~= '' and redis.call('ZREM', key, place) == 0 and not known then return {0} end
if known then ends = math.max(ends, tonumber(known) + 1) end
redis.call('ZADD', key, text(ends), member)
prune(key, now)
return {1}
`,
  isOne,
)

/**
 * Enters a session that is about to be created into an index with a limited number of sessions.
 *
 * KEYS[1]   index key                                'idx:sess:user:u-1'
 * ARGV[1]   member                                   'x3J…', 'x3J… Pq0…'
 * ARGV[2]   ms after which the entry expires         '10000'
 * ARGV[3]   maximum number of sessions               '3'
 * ARGV[4]   number of stored ids n that it replaces
 * ARGV[5…]  n stored ids; then the members that may be dropped to make room, in this order
 *
 * returns   {1}                  it was already there
 *           {1, n, member, …}    entered; the number of others, and the members that were dropped
 *           {3, n, member, …}    there is no room; the same values
 *           {4}                  it is getting another id, and is being ended
 */
export const ADMIT = defineScript(
  'admit',
  `${REVOCATIONS}
local key = KEYS[1]
local member, pending_ms, max, n = unpack(ARGV, 1, 4)
max, n = tonumber(max), tonumber(n)
local now = now_ms()
drop_ended(key, now)
local known = redis.call('ZSCORE', key, member)
if known then
  -- The score changes as in ENTER: an entry that is about to be dropped must be seen to be wanted again.
  redis.call('ZADD', key, text(tonumber(known) + 1), member)
  return {1}
end
local ids = {}
for i = 5, 4 + n do ids[#ids + 1] = ARGV[i] end
if string.find(member, ' ', 1, true) and not may_go_on(key, now, ids, string.match(member, '%S+$')) then return {4} end
local count = redis.call('ZCARD', key) - (revocations(key))
for _, id in ipairs(ids) do
  if redis.call('ZSCORE', key, id) then count = count - 1 end
end
local reply = {1, 0}
for i = 5 + n, #ARGV do
  if count < max then break end
  if redis.call('ZREM', key, ARGV[i]) == 1 then
    count = count - 1
    reply[#reply + 1] = ARGV[i]
  end
end
if count < max then redis.call('ZADD', key, text(now + tonumber(pending_ms)), member) else reply[1] = 3 end
reply[2] = count
prune(key, now)
return reply
`,
  decodeAdmit,
)

/**
 * `others`: the number of other sessions; `dropped`: the members that were dropped to make room. `revoked`: it is
 * being ended.
 */
export type AdmitReply = { kind: 'admitted' | 'full'; others: number; dropped: string[] } | { kind: 'revoked' }

function decodeAdmit(reply: ScriptReply): AdmitReply {
  switch (reply[0]) {
    case 1:
      // The session was already entered; this reply does not count the others.
      if (reply.length === 1) return { kind: 'admitted', others: 0, dropped: [] }
      return { kind: 'admitted', others: integerAt(reply, 1), dropped: textsFrom(reply, 2) }
    case 3:
      return { kind: 'full', others: integerAt(reply, 1), dropped: textsFrom(reply, 2) }
    case 4:
      return { kind: 'revoked' }
    default:
      return unexpectedReply()
  }
}

/**
 * Lists sessions to end, and from then on keeps them from moving to another id. A session that is just getting
 * another id loses its pair of ids, and therefore ends (ENTER). A marked pair takes the place of the pair, so that the index
 * still names the session if nobody gets to end it now. The caller must end the sessions, drop the marked pairs, and then
 * call REOPEN.
 *
 * KEYS[1]   index key                                                       'idx:sess:user:u-1'
 * ARGV[1]   ! = all except those that follow, ? = only those; and a token   '!b3J…'
 * ARGV[2]   ms after the last call until the revocation expires             '12000'
 * ARGV[3]   number of entries to read, those that expire first              '500'
 * ARGV[4…]  stored ids
 *
 * returns   {1, 1 | 0 these were all entries, stored ids that are listed now: 'x3J… Pq0…', member, score, …}   pairs: marked
 */
export const REVOKE = defineScript(
  'revoke',
  `${REVOCATIONS}
local key = KEYS[1]
local token, lease_ms, most = unpack(ARGV, 1, 3)
most = tonumber(most)
local now = now_ms()
local own = token
for i = 4, #ARGV do own = own .. ' ' .. ARGV[i] end
local _, all = revocations(key)
for _, revocation in ipairs(all) do
  if string.match(revocation, '^%S+') == token then own = revocation end
end
redis.call('ZADD', key, '-' .. text(now + tonumber(lease_ms)), own)
drop_ended(key, now)

local count = revocations(key)
local page = most > 0 and redis.call('ZRANGE', key, count, count + most - 1, 'WITHSCORES') or {}
local reply = {1, #page < 2 * most and 1 or 0, ''}
for i = 1, #page, 2 do
  local member, score = page[i], page[i + 1]
  local from, to, mark = string.match(member, '^(%S+) (%S+)( ?!?)$')
  if means(own, from or member, to or member) then
    if mark == '' then
      redis.call('ZREM', key, member)
      member = member .. ' !'
      redis.call('ZADD', key, score, member)
    end
    reply[#reply + 1], reply[#reply + 2] = member, score
  elseif from then
    own = spare(key, own, to)
  end
end
reply[3] = string.match(own, ' (.*)') or ''
keep(key)
return reply
`,
  decodeRevoke,
)

export interface RevokeReply {
  /** Whether these were all entries. */
  isAll: boolean
  /** Stored ids that are listed now. */
  named: string[]
  /** `[member, score, member, score, …]` */
  entries: string[]
}

function decodeRevoke(reply: ScriptReply): RevokeReply {
  return { isAll: integerAt(done(reply), 1) === 1, named: textAt(reply, 2).split(' '), entries: hashFrom(reply, 3) }
}

/**
 * Ends a revocation: sessions may move to other ids again.
 *
 * KEYS[1]   index key            'idx:sess:user:u-1'
 * ARGV[1]   token, with its mark '!b3J…'
 *
 * returns   {1}   no session has moved since the last call of REVOKE
 *           {0}   sessions may have moved: the revocation had expired
 */
export const REOPEN = defineScript(
  'reopen',
  `${REVOCATIONS}
local key, token = KEYS[1], ARGV[1]
local _, all = revocations(key)
for _, revocation in ipairs(all) do
  if string.match(revocation, '^%S+') == token then return {redis.call('ZREM', key, revocation)} end
end
return {0}
`,
  isOne,
)

/**
 * Drops an entry whose session was not found or has left the index. The entry stays if its session may be just about
 * to be created, or has been entered again since.
 *
 * KEYS[1]   index key        'idx:sess:user:u-1'
 * ARGV[1]   member           'x3J…'
 * ARGV[2]   its score when the session was not found; with another score it stays
 * ARGV[3]   ms from now      '10000'; an entry that expires within this time stays. '' = no such condition
 *
 * returns   {1}   dropped
 *           {0}   it stays, or there is no such entry
 */
export const DROP = defineScript(
  'drop',
  `${INDEX}
local key = KEYS[1]
local member, seen, stays_ms = unpack(ARGV, 1, 3)
local score = redis.call('ZSCORE', key, member)
if not score or tonumber(score) ~= tonumber(seen) then return {0} end
if stays_ms ~= '' and tonumber(score) - now_ms() <= tonumber(stays_ms) then return {0} end
return {redis.call('ZREM', key, member)}
`,
  isOne,
)
