import type { RedisNode } from '../../support/redis-node.js'
import type { Random } from '../random.js'

/** Something that happens to the application's surroundings, and is over when `run` resolves. */
export interface Fault {
  name: string
  /** A failover, in which the new master may lack what the old one has confirmed last. */
  mayLose?: boolean
  /** @returns what there is to say about this time */
  run(random: Random): Promise<string | undefined>
}

/** Redis as one deployment has it, and what may happen to it. */
export interface Topology {
  /** For `connectRedis`. */
  where: unknown[]
  faults: Fault[]
  masters(): Promise<RedisNode[]>
  /** Every replica has everything that was confirmed so far. */
  inStep(): Promise<void>
  /** All servers are there again. */
  healed(): Promise<void>
  stop(): Promise<void>
}
