import type { Facts } from './facts.js'

/**
 * problem: something fails, now or as soon as a given event happens. warning: it may fail, or is worse than necessary.
 * unknown: the check could not look. note: nothing to change, but good to know.
 */
export type Level = 'problem' | 'warning' | 'unknown' | 'note' | 'ok'

export interface Finding {
  /** The subject of the check, in one or two words. */
  check: string
  level: Level
  /** The state that was found. */
  what: string
  /** What this state leads to. */
  consequence?: string
  /** Commands and settings that change it, one per entry. */
  change?: string[]
}

/** Judges the facts. Returns at least one finding if its subject applies to the server. */
export type Check = (facts: Facts) => Finding[]

type Said = Pick<Finding, 'what'> & Partial<Finding>

/** Makes functions that make the findings of one check, one function per level. */
export function findingsOf(check: string) {
  const say = (level: Level) => (what: string, consequence?: string, change?: string | string[]) => {
    const said: Said = { what }
    if (consequence !== undefined) said.consequence = consequence
    if (change !== undefined) said.change = [change].flat()
    return { check, level, ...said } as Finding
  }
  return {
    problem: say('problem'),
    warning: say('warning'),
    unknown: say('unknown'),
    note: say('note'),
    ok: say('ok'),
  }
}

export const NO_INFO = 'this user may not run INFO'
export const NO_CONFIG =
  'this user may not run CONFIG GET (managed services forbid it): look at the settings where you set them'
