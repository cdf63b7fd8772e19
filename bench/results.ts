import type { Machine } from './machine.js'

/** A column of a table. */
export interface Column {
  key: string
  title: string
  digits: number
}

export interface Line {
  /** Name of the contender, or of what else is compared. */
  name: string
  title: string
  values: Record<string, number | string>
}

export interface Table {
  title: string
  columns: Column[]
  lines: Line[]
  /** This column is also given as a multiple of the line of this name. */
  ratio?: { of: string; to: string }
}

/** One line of the table of goals. `measured` is null where this run has not measured it. */
export interface Goal {
  what: string
  aim: string
  limit: number
  isUpperLimit: boolean
  unit: string
  measured: number | null
  /** Why there is no number. */
  missing?: string
}

/** What one row of the benchmark comes to. */
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

/** The number in a cell, if there is one. */
export function cell(table: Table | undefined, name: string, key: string): number | undefined {
  const value = table?.lines.find((line) => line.name === name)?.values[key]
  return typeof value === 'number' ? value : undefined
}

/** What a line is of another, in one column; null where either is missing. */
export function ratio(table: Table | undefined, key: string, of: string, to: string): number | null {
  const [a, b] = [cell(table, of, key), cell(table, to, key)]
  return a === undefined || b === undefined ? null : a / b
}

/** A goal that is a multiple of what another contender needs. */
export function ratioGoal(what: string, aim: string, limit: number, measured: number | null, missing?: string): Goal {
  const isUpperLimit = !aim.includes('>=')
  const reason = measured === null && missing !== undefined ? { missing } : {}
  return { what, aim, limit, isUpperLimit, unit: 'x', measured, ...reason }
}
