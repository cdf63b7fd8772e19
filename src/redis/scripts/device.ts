import { BOOKKEEPING } from './bookkeeping.lua.js'
import { done, integerAt, type ScriptReply, textAt, unexpectedReply } from './reply.js'
import { defineScript } from './script.js'

/*
 * The fields of a session that is bound to a device. Each script changes its fields in one step, so that parallel
 * refreshes of several tabs lose nothing. None prolongs the session.
 *
 * `@dk`: the public key. `@dc`: `<challenge> <time>`. `@db`: `<secret> <since> <u|c>`, see hash/device-field.ts. Numbers
 * are in base 36, times in milliseconds by Redis's clock.
 */
const DEVICE = `${BOOKKEEPING}
local function now_ms()
  return math.floor(now_us() / 1000)
end

-- The challenge that the device has to sign, if it was made within so many milliseconds.
local function challenge_of(key, now, max)
  local challenge, made = string.match(redis.call('HGET', key, '@dc') or '', '^([%w_-]+) ([0-9a-z]+)$')
  if not challenge or #made > 10 then return nil end
  if math.abs(now - tonumber(made, 36)) >= tonumber(max) then return nil end
  return challenge
end

-- Keeps a challenge that is young, so that two tabs get the same one; makes the given one the challenge otherwise.
local function next_challenge(key, now, young, fresh)
  local held = challenge_of(key, now, young)
  if held then return held end
  redis.call('HSET', key, '@dc', fresh .. ' ' .. base36(now))
  return fresh
end

-- The device has shown that it knows of the binding.
local function confirm(key)
  local text = redis.call('HGET', key, '@db') or ''
  if string.sub(text, -2) == ' u' then redis.call('HSET', key, '@db', string.sub(text, 1, -2) .. 'c') end
end
`

/**
 * Binds a session to a device that has signed the challenge it was offered. A session is bound once: another key needs
 * another login.
 *
 * KEYS[1]   session key                                            'sess:x3J…'
 * ARGV[1]   creation stamp of the session that is meant            'h2mzk9w8qe'
 * ARGV[2]   public key of the device                               'A6_GB2v…'
 * ARGV[3]   challenge that it has signed                           'b3J…'
 * ARGV[4]   ms for which the offer holds                           '600000'
 * ARGV[5]   secret of the bound cookies                            '9fV…'
 * ARGV[6]   absolute timeout, ms, '' = none
 *
 * returns   {1, time}   bound now, in ms since 1970
 *           {3}    this challenge was not offered, or is too old, or the session is bound to this key already
 *           {4}    the session is bound to another key
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 */
export const BIND_DEVICE = defineScript(
  'bind-device',
  `${DEVICE}
local key = KEYS[1]
local created, device, challenge, max, secret, absolute = unpack(ARGV, 1, 6)
local s, answer = open(key, absolute)
if not s then return answer end
if created ~= s.created then return {0} end
local held = redis.call('HGET', key, '@dk')
if held then return {held == device and 3 or 4} end
local now = now_ms()
if challenge_of(key, now, max) ~= challenge then return {3} end
redis.call('HSET', key, '@dk', device, '@db', secret .. ' ' .. base36(now) .. ' u')
redis.call('HDEL', key, '@dc')
return {1, now}
`,
  decodeBind,
  { timeOf: timeIn },
)

/** `refused`: not offered, or too late. `other-key`: the session is bound to another device. */
export type BindDeviceReply = { kind: 'bound'; nowMs: number } | { kind: 'refused' | 'other-key' | 'gone' }

function decodeBind(reply: ScriptReply): BindDeviceReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'bound', nowMs: integerAt(reply, 1) }
    case 3:
      return { kind: 'refused' }
    case 4:
      return { kind: 'other-key' }
    case 0:
    case -1:
      return { kind: 'gone' }
    default:
      return unexpectedReply()
  }
}

/**
 * Gives the challenge that the device has to sign next.
 *
 * KEYS[1]   session key                                            'sess:x3J…'
 * ARGV[1]   creation stamp of the session that is meant            'h2mzk9w8qe'
 * ARGV[2]   a new challenge, if there is none that is young        'b3J…'
 * ARGV[3]   ms for which a challenge counts as young               '60000'
 * ARGV[4]   absolute timeout, ms, '' = none
 *
 * returns   {1, challenge, public key}
 *           {2}    the session is not bound
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 */
export const CHALLENGE_DEVICE = defineScript(
  'challenge-device',
  `${DEVICE}
local key = KEYS[1]
local created, fresh, young, absolute = unpack(ARGV, 1, 4)
local s, answer = open(key, absolute)
if not s then return answer end
if created ~= s.created then return {0} end
local held = redis.call('HGET', key, '@dk')
if not held then return {2} end
return {1, next_challenge(key, now_ms(), young, fresh), held}
`,
  decodeChallenge,
)

export type ChallengeDeviceReply = { kind: 'challenge'; challenge: string; key: string } | { kind: 'unbound' | 'gone' }

function decodeChallenge(reply: ScriptReply): ChallengeDeviceReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'challenge', challenge: textAt(reply, 1), key: textAt(reply, 2) }
    case 2:
      return { kind: 'unbound' }
    case 0:
    case -1:
      return { kind: 'gone' }
    default:
      return unexpectedReply()
  }
}

/**
 * Accepts a proof of the device, whose signature has been verified. Each challenge counts once.
 *
 * KEYS[1]   session key                                            'sess:x3J…'
 * ARGV[1]   creation stamp of the session that is meant            'h2mzk9w8qe'
 * ARGV[2]   public key that the signature was verified with        'A6_GB2v…'
 * ARGV[3]   challenge that was signed                              'b3J…'
 * ARGV[4]   ms for which a challenge may be answered               '120000'
 * ARGV[5]   a new challenge, if this one does not count and there is none that is young
 * ARGV[6]   ms for which a challenge counts as young               '60000'
 * ARGV[7]   absolute timeout, ms, '' = none
 *
 * returns   {1, time}        accepted, in ms since 1970
 *           {2, challenge}   that was not the challenge, or no longer: sign this one
 *           {3}    the session is not bound to this key
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 */
export const PROVE_DEVICE = defineScript(
  'prove-device',
  `${DEVICE}
local key = KEYS[1]
local created, device, challenge, max, fresh, young, absolute = unpack(ARGV, 1, 7)
local s, answer = open(key, absolute)
if not s then return answer end
if created ~= s.created then return {0} end
if redis.call('HGET', key, '@dk') ~= device then return {3} end
local now = now_ms()
if challenge_of(key, now, max) ~= challenge then return {2, next_challenge(key, now, young, fresh)} end
confirm(key)
redis.call('HDEL', key, '@dc')
return {1, now}
`,
  decodeProve,
  { timeOf: timeIn },
)

export type ProveDeviceReply =
  | { kind: 'proven'; nowMs: number }
  | { kind: 'challenge'; challenge: string }
  | { kind: 'other-key' | 'gone' }

function decodeProve(reply: ScriptReply): ProveDeviceReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'proven', nowMs: integerAt(reply, 1) }
    case 2:
      return { kind: 'challenge', challenge: textAt(reply, 1) }
    case 3:
      return { kind: 'other-key' }
    case 0:
    case -1:
      return { kind: 'gone' }
    default:
      return unexpectedReply()
  }
}

/**
 * Records that a client has presented a bound cookie. From then on, the session needs one.
 *
 * KEYS[1]   session key                                            'sess:x3J…'
 * ARGV[1]   creation stamp of the session that is meant            'h2mzk9w8qe'
 * ARGV[2]   absolute timeout, ms, '' = none
 *
 * returns   {1, time}   confirmed, now or before, in ms since 1970
 *           {0}    the session is gone
 *           {-1}   the key is not a session hash
 */
export const CONFIRM_DEVICE = defineScript(
  'confirm-device',
  `${DEVICE}
local key = KEYS[1]
local created, absolute = unpack(ARGV, 1, 2)
local s, answer = open(key, absolute)
if not s then return answer end
if created ~= s.created then return {0} end
confirm(key)
return {1, now_ms()}
`,
  decodeConfirm,
  { timeOf: timeIn },
)

export type ConfirmDeviceReply = { kind: 'confirmed'; nowMs: number } | { kind: 'gone' }

function decodeConfirm(reply: ScriptReply): ConfirmDeviceReply {
  switch (reply[0]) {
    case 1:
      return { kind: 'confirmed', nowMs: integerAt(reply, 1) }
    case 0:
    case -1:
      return { kind: 'gone' }
    default:
      return unexpectedReply()
  }
}

/**
 * Tells the time, before a bound cookie is refused as too old: the clock of this machine may be wrong.
 *
 * KEYS[1]   session key, which determines the master               'sess:x3J…'
 *
 * returns   {1, time}   in ms since 1970
 */
export const TELL_TIME = defineScript(
  'tell-time',
  `${DEVICE}
return {1, now_ms()}
`,
  (reply) => ({ nowMs: integerAt(done(reply), 1) }),
  { isRead: true, timeOf: ({ nowMs }) => nowMs },
)

function timeIn(reply: { kind: string; nowMs?: number }): number | undefined {
  return reply.nowMs
}
