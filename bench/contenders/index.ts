import type { Contender } from './contender.js'
import { files, postgres } from './elsewhere.js'
import { memoryStore, memorystore } from './in-memory.js'
import { ours, oursCached, oursEveryTouch, oursIndexed, oursOverNodeRedis, oursPipelining } from './ours.js'
import { rawHash, rawString } from './raw.js'
import { connectRedis8, connectRedis10, connectValkey } from './redis-peers.js'

/** All contenders, in the order of the tables. */
export const CONTENDERS: readonly Contender[] = [
  ours,
  oursOverNodeRedis,
  oursCached,
  oursPipelining,
  oursEveryTouch,
  oursIndexed,
  connectRedis10,
  connectRedis8,
  connectValkey,
  postgres,
  files,
  memoryStore,
  memorystore,
  rawString,
  rawHash,
]

export const BASELINE = connectRedis10.name

export function contenderNamed(name: string): Contender {
  const found = CONTENDERS.find((contender) => contender.name === name)
  if (found === undefined) throw new Error(`there is no contender "${name}"`)
  return found
}
