import type { Facts } from './facts.js'

/**
 * problem: something goes wrong, now or as soon as what it waits for happens. warning: it may, or is worse than it need be.
 * unknown: could not look. note: nothing to change, good to know.
 */
export type Level = 'problem' | 'warning' | 'unknown' | 'note' | 'ok'

export interface Finding {
  /** What was looked at, one word or two. */
  check: string
  level: Level
  /** How it is. */
  what: string
  /** What comes of it. */
  consequence?: string
  /** Commands and settings that change it, one a line. */
  change?: string[]
}

/** Judges what was read; tells at least one thing where it looks at anything. */
export type Check = (facts: Facts) => Finding[]

type Said = Pick<Finding, 'what'> & Partial<Finding>

/** Findings of one check. */
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
