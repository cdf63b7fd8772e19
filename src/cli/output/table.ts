import { styleText } from 'node:util'
import type { Io } from '../io.js'
import { printable } from './printable.js'

type Style = Parameters<typeof styleText>[0]

/** Colours a text if the output is a terminal with colours. */
export function paint(io: Pick<Io, 'hasColours'>, style: Style, text: string): string {
  return io.hasColours ? styleText(style, text, { validateStream: false }) : text
}

export interface Column {
  title: string
  /** Numbers are aligned at their ends. */
  isNumber?: boolean
}

/** Between two columns. */
const GAP = '  '

/**
 * Prints rows: with titles and aligned on a terminal, where long lines are cut; elsewhere bare, with tabs between the
 * cells, for `cut` and `awk`.
 */
export function printTable(io: Io, columns: readonly Column[], rows: readonly (readonly string[])[]): void {
  const cells = rows.map((row) => row.map(printable))
  if (!io.isTerminal) {
    for (const row of cells) io.out(`${row.join('\t')}\n`)
    return
  }
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const lineOf = (row: readonly string[]) =>
    row
      .map((cell, i) => (columns[i]?.isNumber ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join(GAP)
      .trimEnd()
  io.out(`${paint(io, 'bold', cut(lineOf(columns.map(({ title }) => title)), io.columns))}\n`)
  for (const row of cells) io.out(`${cut(lineOf(row), io.columns)}\n`)
}

function cut(line: string, columns: number): string {
  return line.length > columns ? `${line.slice(0, Math.max(1, columns - 1))}…` : line
}
