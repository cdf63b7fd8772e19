import type { Stage } from './stage.js'

/** What came out of an experiment at one site. */
export interface Verdict {
  isRight: boolean
  text: string
}

/** Two requests that meet in one session. They do the same at both sites. */
export interface Experiment {
  slug: string
  title: string
  /** What goes wrong, in one sentence. */
  bug: string
  /** The handler of request A. */
  code: string
  /** Why it comes out as it does with connect-redis. */
  theirs: string
  /** Why it comes out as it does with connect-redis-hash. */
  ours: string
  run(stage: Stage): Promise<Verdict>
}
