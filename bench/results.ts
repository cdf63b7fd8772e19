import type { Machine } from './machine.js'

export interface Column {
  key: string
  title: string
  digits: number
}

export interface Line {
  /** Name of the contender, or of another thing that is compared. */
  name: string
  title: string
  values: Record<string, number | string>
}

export interface Table {
  title: string
  columns: Column[]
  lines: Line[]
  /** The column `of` is also shown as a multiple of the line `to`. */
  ratio?: { of: string; to: string }
}

/** One line of the table of goals. `measured` is null if this run did not measure it. */
export interface Goal {
  what: string
  aim: string
  limit: number
  isUpperLimit: boolean
  unit: string
  measured: number | null
  /** The reason if there is no number. */
  missing?: string
}

/** The result of one row of the benchmark. */
export interface Measurement {
  name: string
  title: string
  /** How it was measured, in sentences. */
  how: string
  tables: Table[]
  goals: Goal[]
}

export interface Skipped {
  name: string
  why: string
}

export interface Results {
  command: string
  date: string
  isQuick: boolean
  machine: Machine
  measurements: Measurement[]
  skipped: Skipped[]
}

export function isReached({ measured, limit, isUpperLimit }: Goal): boolean | null {
  if (measured === null) return null
  return isUpperLimit ? measured <= limit : measured >= limit
}

/** The number in a cell; undefined if there is none. */
export function cell(table: Table | undefined, name: string, key: string): number | undefined {
  const value = table?.lines.find((line) => line.name === name)?.values[key]
  return typeof value === 'number' ? value : undefined
}

/** The ratio of two lines in one column; null if either is missing. */
export function ratio(table: Table | undefined, key: string, of: string, to: string): number | null {
  const [a, b] = [cell(table, of, key), cell(table, to, key)]
  return a === undefined || b === undefined ? null : a / b
}

/** Makes a goal that is a multiple of the result of another contender. */
export function ratioGoal(what: string, aim: string, limit: number, measured: number | null, missing?: string): Goal {
  const isUpperLimit = !aim.includes('>=')
  const reason = measured === null && missing !== undefined ? { missing } : {}
  return { what, aim, limit, isUpperLimit, unit: 'x', measured, ...reason }
}
