import type { Facts } from '../facts.js'
import { type Finding, findingsOf } from '../finding.js'

/** A page view costs one round trip, a login three or four. */
const SLOW_PING_MS = 10
const VERY_SLOW_PING_MS = 250
const BLOCKING_MS = 100
const RECENT_MS = 24 * 3_600_000
/** Smaller differences may as well come from the network. */
const SKEW_MS = 2000

export function checkLatency(facts: Facts, now = Date.now()): Finding[] {
  const { note } = findingsOf('latency')
  const found = [...checkPings(facts), ...checkSlowCommands(facts, now), ...checkStops(facts)]
  if (facts.slowCommands === undefined)
    found.push(note('this user may not run SLOWLOG: whether commands block Redis was not looked at'))
  return found
}

function checkPings({ pingsMs }: Facts): Finding[] {
  const { ok, problem, warning } = findingsOf('latency')
  if (pingsMs.length === 0) return []
  const sorted = [...pingsMs].sort((a, b) => a - b)
  const [median, longest] = [sorted[Math.floor(sorted.length / 2)] as number, sorted.at(-1) as number]
  const what = `PING takes ${ms(median)}, at most ${ms(longest)} (of ${sorted.length})`
  const change = 'Run Redis near the application (same region and zone), and look at its load'
  if (median >= VERY_SLOW_PING_MS) {
    const consequence = 'A login takes several round trips: it comes near the 1000 ms after which an operation fails.'
    return [problem(what, consequence, change)]
  }
  if (median >= SLOW_PING_MS) {
    return [warning(what, 'Every request with a session waits for at least one round trip.', change)]
  }
  if (longest < VERY_SLOW_PING_MS) return [ok(what)]
  const consequence = 'Something stops Redis, or the network, for a while.'
  return [warning(what, consequence, 'redis-cli --latency-history; SLOWLOG GET')]
}

function checkSlowCommands({ slowCommands = [] }: Facts, now: number): Finding[] {
  const { warning } = findingsOf('latency')
  const blocking = slowCommands.filter((slow) => slow.ms >= BLOCKING_MS && now - slow.at.getTime() < RECENT_MS)
  if (blocking.length === 0) return []
  const names = [...new Set(blocking.map(({ command }) => command))].join(', ')
  const longest = Math.max(...blocking.map((slow) => slow.ms))
  return [
    warning(
      `${blocking.length} command${blocking.length === 1 ? '' : 's'} took over ${BLOCKING_MS} ms in the last day, up to ${ms(longest)}: ${names}`,
      'Redis does one thing at a time: meanwhile every request with a session waits, and fails after 1000 ms.',
      'SLOWLOG GET says what they were. SCAN instead of KEYS, UNLINK instead of DEL of something big; or a Redis for sessions alone',
    ),
  ]
}

function checkStops({ latencyEvents = {} }: Facts): Finding[] {
  const { warning } = findingsOf('latency')
  return Object.entries(latencyEvents)
    .filter(([, longest]) => longest >= BLOCKING_MS)
    .map(([event, longest]) =>
      warning(
        `Redis stood still for ${ms(longest)} (${event})`,
        'Meanwhile every request with a session waited.',
        'LATENCY DOCTOR',
      ),
    )
}

export function checkClock({ clockSkewMs }: Facts): Finding[] {
  const { ok, unknown, warning } = findingsOf('clock')
  if (clockSkewMs === undefined) return [unknown('this user may not run TIME')]
  const off = Math.abs(clockSkewMs)
  if (off < SKEW_MS) return [ok("as this machine's")]
  return [
    warning(
      `Redis's clock is ${(off / 1000).toFixed(off < 60_000 ? 1 : 0)} s ${clockSkewMs > 0 ? 'ahead of' : 'behind'} this machine's`,
      "Sessions expire by Redis's clock. What a server decides by its own (when to refresh an expiry, when to renew an id, when a session was last seen) is off by that much.",
      'Let both machines set their clocks by NTP',
    ),
  ]
}

const ms = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
