import type { Column, Table } from '../results.js'

/** Makes the cells of a table as text. The first row is the head; the ratio follows its column. */
export function textCells({ columns, lines, ratio }: Table): string[][] {
  const head = ['', ...columns.flatMap(({ key, title }) => (ratio?.of === key ? [title, 'ratio'] : [title]))]
  const baseline = lines.find(({ name }) => name === ratio?.to)?.values[ratio?.of ?? '']
  const rows = lines.map(({ title, values }) => [
    title,
    ...columns.flatMap((column) => {
      const value = values[column.key]
      const text = formatted(value, column)
      if (ratio?.of !== column.key) return [text]
      const isComparable = typeof value === 'number' && typeof baseline === 'number'
      return [text, isComparable ? `${(value / baseline).toFixed(2)}x` : '-']
    }),
  ])
  return [head, ...rows]
}

function formatted(value: number | string | undefined, { digits }: Column): string {
  if (typeof value !== 'number') return value ?? '-'
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Formats a table for a terminal, with numbers aligned right. */
export function plainTable(cells: readonly string[][]): string {
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)))
  return cells
    .map((row) =>
      row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join('  '),
    )
    .join('\n')
}

export function markdownTable(cells: readonly string[][]): string {
  const [head = [], ...rows] = cells
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'))
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`.replace('|  |', '| |')).join('\n')
}
