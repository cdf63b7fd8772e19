import { spawnSync } from 'node:child_process'

/** Which core does what: what is measured has one of its own; Redis and whatever makes the load share the other. */
export interface Cores {
  measured: number
  others: number
}

/** undefined where processes cannot be bound to cores, or there is only one. */
export function findCores(): Cores | undefined {
  const { stdout, status } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' })
  if (status !== 0) return undefined
  const [first, second] = expand(stdout.trim().split(' ').at(-1) ?? '')
  return first === undefined || second === undefined ? undefined : { measured: first, others: second }
}

/** `0,2-3` -> 0, 2, 3 */
function expand(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number)
    return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

/** A process that runs already, with all its threads. */
export function pin(pid: number, core: number | undefined): void {
  if (core !== undefined) spawnSync('taskset', ['-acp', String(core), String(pid)])
}
