import { parseArgs } from 'node:util'
import { soak } from './soak.js'
import { clusterTopology } from './topologies/cluster.js'
import { sentinelTopology } from './topologies/sentinel.js'
import { singleTopology } from './topologies/single.js'

/**
 * `npm run soak -- --minutes 5 --seed 42 --topology single` sends mixed traffic through real Express processes to real
 * Redis servers, causes one fault after the other, and checks the invariants after each. Exit code 1 if one is
 * violated.
 */
const USAGE = 'npm run soak -- [--minutes 5] [--seed 42] [--topology single|sentinel|cluster]'
const TOPOLOGIES = { single: singleTopology, sentinel: sentinelTopology, cluster: clusterTopology }

function settings(): { minutes: number; seed: number; name: keyof typeof TOPOLOGIES } {
  const { values } = parseArgs({
    options: { minutes: { type: 'string' }, seed: { type: 'string' }, topology: { type: 'string' } },
  })
  const minutes = Number(values.minutes ?? 5)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000))
  const name = (values.topology ?? 'single') as keyof typeof TOPOLOGIES
  if (!(minutes > 0)) throw new Error('--minutes must be a number above 0')
  if (!Number.isInteger(seed) || seed < 0) throw new Error('--seed must be a whole number')
  if (!Object.hasOwn(TOPOLOGIES, name)) throw new Error('--topology must be single, sentinel or cluster')
  return { minutes, seed, name }
}

/** Shows progress in a terminal only: a pipe gets the lines alone. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function print(line: string): void {
  progress('')
  console.log(line)
}

// While the soak waits for servers, nothing else keeps this process alive.
const waiting = setInterval(() => {}, 60_000)
try {
  const { minutes, seed, name } = settings()
  const again = `npm run soak -- --minutes ${minutes} --seed ${seed} --topology ${name}`
  print(`${again}\n`)
  const topology = await TOPOLOGIES[name]()
  try {
    const { violations } = await soak({ seed, ms: minutes * 60_000, topology, print, progress })
    progress('')
    if (violations.length > 0) {
      console.log(`\nViolated:\n${violations.map((what) => `- ${what}`).join('\n')}\n\nTo repeat: ${again}`)
      process.exitCode = 1
    } else {
      console.log('No invariant was violated.')
    }
  } finally {
    await topology.stop()
  }
} catch (err) {
  console.error(err instanceof Error ? err.message : err)
  console.error(`Usage: ${USAGE}`)
  process.exitCode = 1
} finally {
  clearInterval(waiting)
}
