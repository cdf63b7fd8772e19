import type { Facts, SlowCommand } from './facts.js'
import type { Questions } from './questions.js'

const PINGS = 20
const SLOWEST = 32

/** Measures one PING after the other, so that each is one round trip. */
export async function readPings(connection: Questions): Promise<Pick<Facts, 'pingsMs' | 'state'>> {
  const pingsMs: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const start = performance.now()
    const answer = await connection.ask('PING')
    if ('error' in answer && answer.error !== 'NOPERM') return { pingsMs, state: answer.error }
    pingsMs.push(performance.now() - start)
  }
  return { pingsMs, state: undefined }
}

/** Redis's clock minus ours in milliseconds, measured at the middle of the round trip. */
export async function readClockSkew(connection: Questions): Promise<number | undefined> {
  const before = Date.now()
  const time = await connection.list('TIME')
  const middle = (before + Date.now()) / 2
  if (time?.length !== 2) return undefined
  return Number(time[0]) * 1000 + Number(time[1]) / 1000 - middle
}

/** Reads the newest entries of the slow log; Redis deletes old ones. */
export async function readSlowCommands(connection: Questions): Promise<SlowCommand[] | undefined> {
  const entries = await connection.list('SLOWLOG', 'GET', SLOWEST)
  return entries?.flatMap((entry) => {
    if (!Array.isArray(entry) || !Array.isArray(entry[3])) return []
    const [, at, micros, words] = entry as [unknown, number, number, unknown[]]
    return [{ at: new Date(Number(at) * 1000), ms: Number(micros) / 1000, command: String(words[0]).toUpperCase() }]
  })
}

/** Longest latency by event, in milliseconds. Empty unless latency monitoring is on, which is off by default. */
export async function readLatencyEvents(connection: Questions): Promise<Record<string, number> | undefined> {
  const events = await connection.list('LATENCY', 'LATEST')
  const longest = events?.flatMap((event) => (Array.isArray(event) ? [[String(event[0]), Number(event[3])]] : []))
  return longest && Object.fromEntries(longest)
}
