import type { Results } from '../results.js'
import { goalCells } from './goals.js'
import { plainTable, textCells } from './table.js'

/** Formats the results for a terminal. */
export function toText(results: Results): string {
  const { machine } = results
  const parts = [
    `${machine.cores} x ${machine.cpu}, Node ${machine.node}, ${machine.server}${machine.pinned ? '' : ', not pinned'}`,
  ]
  for (const { title, tables } of results.measurements) {
    parts.push(`\n${title}`)
    for (const table of tables) parts.push(table.title && `\n${table.title}`, plainTable(textCells(table)))
  }
  parts.push('\nGoals (ratios against connect-redis 10 + node-redis unless said)', plainTable(goalCells(results)))
  for (const { name, why } of results.skipped) parts.push(`skipped: ${name}: ${why}`)
  return `${parts.filter((part) => part !== '').join('\n')}\n`
}
