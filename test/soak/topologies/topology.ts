import type { RedisNode } from '../../support/redis-node.js'
import type { Random } from '../random.js'

/** Something that happens to the application's surroundings, and is over when `run` resolves. */
export interface Fault {
  name: string
  /** Whether it is a failover: the new master may lack what the old one has confirmed last. */
  mayLose?: boolean
  /** @returns words about this run of it, for the report */
  run(random: Random): Promise<string | undefined>
}

/** A deployment of Redis, and the faults that may happen to it. */
export interface Topology {
  /** Arguments of `connectRedis`. */
  where: unknown[]
  faults: Fault[]
  masters(): Promise<RedisNode[]>
  /** Waits until every replica has everything that was confirmed so far. */
  inStep(): Promise<void>
  /** Waits until all servers are there again. */
  healed(): Promise<void>
  stop(): Promise<void>
}
