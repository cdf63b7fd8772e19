import type { Redis } from 'ioredis'
import { EARLY_REDIRECT } from './early-redirect.js'
import type { Experiment, Verdict } from './experiment.js'
import { LOST_UPDATE } from './lost-update.js'
import { MERGED_CART } from './merged-cart.js'
import { lookAt, type Remains } from './remains.js'
import { RESURRECTED_LOGOUT } from './resurrected-logout.js'
import { openSites, type Site } from './sites.js'
import { Stage, type Step } from './stage.js'

export const EXPERIMENT_LIST: readonly Experiment[] = [LOST_UPDATE, RESURRECTED_LOGOUT, MERGED_CART, EARLY_REDIRECT]

/** What happened at one site. */
export interface Outcome extends Verdict {
  site: string
  steps: readonly Step[]
  remains: Remains[]
}

/** Nobody waits longer for an experiment, whatever Redis does. */
export const EXPERIMENT_SECONDS = 10
/** Each takes two servers and some ten connections for a moment. */
const MAX_AT_ONCE = 100

export class TooManyExperiments extends Error {}

/** Runs experiments on the Redis of the shop. They leave nothing there. */
export class Experiments {
  readonly #client: Redis
  readonly #prefix: string
  readonly #maxMs: number
  #sites: [theirs: Site, ours: Site] | undefined
  #running = 0

  /**
   * @param prefix where the keys of the experiments begin
   * @param maxMs how long one may take
   */
  constructor(client: Redis, prefix: string, maxMs: number) {
    this.#client = client
    this.#prefix = prefix
    this.#maxMs = maxMs
  }

  /**
   * @returns what happened with connect-redis, and with connect-redis-hash
   * @throws TooManyExperiments, or whatever kept Redis from answering
   */
  async run(experiment: Experiment): Promise<{ theirs: Outcome; ours: Outcome }> {
    if (this.#running >= MAX_AT_ONCE) throw new TooManyExperiments()
    this.#running += 1
    try {
      this.#sites ??= openSites(this.#client, this.#prefix, this.#maxMs)
      const [theirs, ours] = await Promise.all(this.#sites.map((site) => this.#runAt(site, experiment)))
      return { theirs: theirs!, ours: ours! }
    } finally {
      this.#running -= 1
    }
  }

  async #runAt(site: Site, experiment: Experiment): Promise<Outcome> {
    const stage = await Stage.open(site)
    const timer = setTimeout(() => stage.fail(new Error('Redis has not answered in time')), this.#maxMs)
    try {
      return await Promise.race([this.#outcome(site, stage, experiment), stage.failed])
    } catch (error) {
      // Nobody waits for it: Redis may be away. Then the sessions end by themselves.
      this.#remove(stage.keys).catch(() => undefined)
      throw error
    } finally {
      clearTimeout(timer)
      stage.close()
    }
  }

  async #outcome(site: Site, stage: Stage, experiment: Experiment): Promise<Outcome> {
    const verdict = await experiment.run(stage)
    const remains = await lookAt(this.#client, stage.keys)
    await this.#remove(stage.keys)
    return { ...verdict, site: site.name, steps: stage.steps, remains }
  }

  /** Removes one by one, because a Cluster keeps keys on several servers. */
  async #remove(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#client.del(key)))
  }
}
