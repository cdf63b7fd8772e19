import { appendFileSync } from 'node:fs'

/** For docs/operations.md: with `FIGURES=file`, what a test has measured goes to that file. */
export function figure(what: string, values: Record<string, number>): void {
  const path = process.env.FIGURES
  if (!path) return
  const rounded = Object.entries(values).map(([name, value]) => `${name} ${Math.round(value)}`)
  appendFileSync(path, `${what}: ${rounded.join(', ')}\n`)
}
