import { appendFileSync } from 'node:fs'

/** Writes measurements of a test to the file that the environment variable `FIGURES` names, for docs/operations.md. */
export function figure(what: string, values: Record<string, number>): void {
  const path = process.env.FIGURES
  if (!path) return
  const rounded = Object.entries(values).map(([name, value]) => `${name} ${Math.round(value)}`)
  appendFileSync(path, `${what}: ${rounded.join(', ')}\n`)
}
