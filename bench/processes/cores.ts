import { spawnSync } from 'node:child_process'

/** The cores of the machine: one for the measured process, another one for Redis and the load generator. */
export interface Cores {
  measured: number
  others: number
}

/** Chooses the cores; undefined if processes cannot be bound to cores, or there is only one. */
export function findCores(): Cores | undefined {
  const { stdout, status } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' })
  if (status !== 0) return undefined
  const [first, second] = expand(stdout.trim().split(' ').at(-1) ?? '')
  return first === undefined || second === undefined ? undefined : { measured: first, others: second }
}

/** Expands `0,2-3` to 0, 2, 3. */
function expand(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [from = Number.NaN, to = from] = range.split('-').map(Number)
    return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

/** Binds a running process to a core, with all its threads. */
export function pin(pid: number, core: number | undefined): void {
  if (core !== undefined) spawnSync('taskset', ['-acp', String(core), String(pid)])
}
