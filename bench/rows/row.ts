import type { Bench, Worker } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { CONTENDERS } from '../contenders/index.js'
import type { Measurement } from '../results.js'

export interface Row {
  /** Names for `--only`. Rows that share their preparation are one Row. */
  names: readonly string[]
  title: string
  run(bench: Bench, wanted: ReadonlySet<string>): Promise<Measurement[]>
}

export function namesOf(isIn: (contender: Contender) => boolean): string[] {
  return CONTENDERS.filter(isIn).map(({ name }) => name)
}

export function titleOf(name: string): string {
  return CONTENDERS.find((contender) => contender.name === name)?.title ?? name
}

/**
 * Measures every contender once per round, so that disturbances of the machine affect all alike. The first round,
 * number -1, warms up and does not count.
 */
export async function alternate<T>(
  bench: Bench,
  workers: readonly Worker[],
  rounds: number,
  measure: (worker: Worker, round: number) => Promise<T>,
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(workers.map(({ contender }) => [contender, []]))
  for (let round = bench.options.scale.hasWarmUp ? -1 : 0; round < rounds; round++) {
    for (const worker of workers) {
      bench.progress.within(`round ${round + 1} of ${rounds}, ${worker.contender}`)
      const result = await measure(worker, round)
      if (round >= 0) results.get(worker.contender)?.push(result)
    }
  }
  return results
}
