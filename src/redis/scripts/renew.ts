import { type Generation, parseGeneration } from '../../hash/renewal-field.js'
import { BOOKKEEPING } from './bookkeeping.lua.js'
import { type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'

/*
 * The `@renew` field (its meaning: hash/renewal-field.ts): `<generation> <since> <u|c> <grace> <secret>`, numbers in
 * base 36, times in milliseconds by Redis's clock.
 */
const RENEWAL = `${BOOKKEEPING}
local function renewal_of(key)
  local text = redis.call('HGET', key, '@renew')
  if not text then return nil end
  local generation, since, state, grace, secret =
    string.match(text, '^([0-9a-z]+) ([0-9a-z]+) ([uc]) ([0-9a-z]+) ([%w_-]+)$')
  if not generation then return nil end
  return {generation = tonumber(generation, 36), since = tonumber(since, 36), state = state,
    grace = tonumber(grace, 36), secret = secret, text = text}
end

local function write_renewal(key, r)
  local text = base36(r.generation) .. ' ' .. base36(r.since) .. ' ' .. r.state .. ' ' .. base36(r.grace) .. ' ' .. r.secret
  redis.call('HSET', key, '@renew', text)
  return text
end
`

/**
 * Issues the next id of a session if it is due and not issued yet. Of many concurrent requests one wins, and all
 * others receive the id that it has issued. The script does not prolong the session.
 *
 * KEYS[1]   session key                                              'sess:x3J…'
 * ARGV[1]   creation stamp of the session that is meant              'h2mzk9w8qe'
 * ARGV[2]   generation of the id that the request presented          '0'
 * ARGV[3]   ms after which an id is renewed, '' = only look          '900000'
 * ARGV[4]   grace, ms, starting when the next id is confirmed        '30000'
 * ARGV[5]   secret of the session's ids, if it has none yet          'b3J…'
 * ARGV[6]   absolute timeout, ms, '' = none
 *
 * returns   {1, '@renew' text}   issued in this call
 *           {2, '@renew' text}   issued before, and not confirmed yet
 *           {3}    the id is the current one, and remains so
 *           {4}    the id is out of date
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 */
export const RENEW = defineScript(
  'renew',
  `${RENEWAL}
local key = KEYS[1]
local created, generation, every, grace, secret, absolute = unpack(ARGV, 1, 6)
local s, answer = open(key, absolute)
if not s then return answer end
if created ~= s.created then return {0} end

local now = math.floor(now_us() / 1000)
local presented = tonumber(generation)
local r = renewal_of(key) or
  {generation = 0, since = math.floor(tonumber(s.created, 36) / 1000), state = 'c', secret = secret}
if r.state == 'u' and presented == r.generation - 1 then return {2, r.text} end
if presented < r.generation then return {4} end
if every == '' or r.state == 'u' or now - r.since < tonumber(every) then return {3} end
r.generation, r.since, r.state, r.grace = r.generation + 1, now, 'u', tonumber(grace)
return {1, write_renewal(key, r)}
`,
  decodeRenew,
)

/** `issued`: in this call; `pending`: before, and not confirmed yet. `superseded`: the id is out of date. */
export type RenewReply =
  | { kind: 'issued'; latest: Generation }
  | { kind: 'pending'; latest: Generation }
  | { kind: 'current' | 'superseded' | 'gone' }

function decodeRenew(reply: ScriptReply): RenewReply {
  switch (reply[0]) {
    case 1:
      return withLatest('issued', reply)
    case 2:
      return withLatest('pending', reply)
    case 3:
      return { kind: 'current' }
    case 4:
      return { kind: 'superseded' }
    case 0:
    case -1:
      return { kind: 'gone' }
    default:
      return unexpectedReply()
  }
}

/** If `@renew` holds a text in an unknown format, nothing is renewed. */
function withLatest<Kind extends string>(
  kind: Kind,
  reply: ScriptReply,
): { kind: Kind; latest: Generation } | { kind: 'gone' } {
  const latest = parseGeneration(textAt(reply, 1))
  return latest === null ? { kind: 'gone' } : { kind, latest }
}

/**
 * Records that a client has presented the id that was issued last. The previous id is out of date from then on.
 *
 * KEYS[1]   session key                                        'sess:x3J…'
 * ARGV[1]   creation stamp of the session that is meant        'h2mzk9w8qe'
 * ARGV[2]   generation of the id                               '1'
 * ARGV[3]   absolute timeout, ms, '' = none
 *
 * returns   {1, '@renew' text}   confirmed, now or before
 *           {4}    the id itself is out of date now
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 */
export const CONFIRM = defineScript(
  'confirm',
  `${RENEWAL}
local key = KEYS[1]
local created, generation, absolute = unpack(ARGV, 1, 3)
local s, answer = open(key, absolute)
if not s then return answer end
if created ~= s.created then return {0} end
local r = renewal_of(key)
if not r then return {0} end
local presented = tonumber(generation)
if presented < r.generation then
  if r.state == 'u' and presented == r.generation - 1 then return {1, r.text} end
  return {4}
end
if presented == r.generation and r.state == 'c' then return {1, r.text} end
-- A client may be ahead: a failover has lost that the id was issued, but only we can have issued it.
r.generation, r.since, r.state = presented, math.floor(now_us() / 1000), 'c'
return {1, write_renewal(key, r)}
`,
  decodeConfirm,
)

export type ConfirmReply = { kind: 'confirmed'; latest: Generation } | { kind: 'superseded' | 'gone' }

function decodeConfirm(reply: ScriptReply): ConfirmReply {
  switch (reply[0]) {
    case 1:
      return withLatest('confirmed', reply)
    case 4:
      return { kind: 'superseded' }
    case 0:
    case -1:
      return { kind: 'gone' }
    default:
      return unexpectedReply()
  }
}

/**
 * Tells whether an id that is out of date may still be served. It uses Redis's clock, so that a server with a wrong
 * clock does not treat a visitor as an attacker.
 *
 * KEYS[1]   session key                                                'sess:x3J…'
 * ARGV[1]   generation of the id                                       '0'
 *
 * returns   {1}   within the grace of a request that was under way
 *           {4}   no longer
 *           {0}   there is no such session, or it was never renewed
 */
export const IN_GRACE = defineScript(
  'in-grace',
  `${RENEWAL}
local key, generation = KEYS[1], ARGV[1]
local r = renewal_of(key)
if not r then return {0} end
local behind = r.generation - tonumber(generation)
if behind <= 0 or (behind == 1 and r.state == 'u') then return {1} end
if behind == 1 and math.floor(now_us() / 1000) - r.since < r.grace then return {1} end
return {4}
`,
  decodeInGrace,
  { isRead: true },
)

/** `unknown`: there is no such session, or it was never renewed. */
export type InGraceReply = 'within' | 'over' | 'unknown'

function decodeInGrace([code]: ScriptReply): InGraceReply {
  if (code === 1) return 'within'
  if (code === 4) return 'over'
  return code === 0 ? 'unknown' : unexpectedReply()
}
