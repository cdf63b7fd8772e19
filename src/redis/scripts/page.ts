import { done, hashFrom, type ScriptReply } from './reply.js'
import { defineScript } from './script.js'

/**
 * Returns the members of a sorted set behind a given place, highest score first. The place is given by score and
 * member, so that it stays the same when members are added or removed, even if that member itself is gone. Members
 * with equal scores are found by binary search: without TTLs (`disableTTL`), all members of an index have the same
 * score.
 *
 * KEYS[1]   index key                      'idx:sess:user:u-1'
 * ARGV[1]   score of the place             '1795266246963'
 * ARGV[2]   member of the place            'x3J…'
 * ARGV[3]   maximum number                 '100'
 *
 * returns   {1, member, score, …}
 */
export const PAGE = defineScript(
  'page',
  `local key = KEYS[1]
local score, place, most = unpack(ARGV, 1, 3)
-- Redis compares members byte by byte; Lua's own comparison depends on the locale of the server.
local function is_less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local first = redis.call('ZCOUNT', key, '(' .. score, '+inf')
local beyond = first + redis.call('ZCOUNT', key, score, score)
while first < beyond do
  local middle = math.floor((first + beyond) / 2)
  if is_less(redis.call('ZREVRANGE', key, middle, middle)[1], place) then beyond = middle else first = middle + 1 end
end
local page = redis.call('ZREVRANGE', key, first, first + tonumber(most) - 1, 'WITHSCORES')
table.insert(page, 1, 1)
return page
`,
  decodePage,
  { isRead: true },
)

/** `[member, score, member, score, …]` */
function decodePage(reply: ScriptReply): string[] {
  return hashFrom(done(reply), 1)
}
