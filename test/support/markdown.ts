import { readFileSync } from 'node:fs'

/** A code block after a `<!-- kind: name -->` comment, which a test runs as an example. */
export interface Example {
  kind: string
  name: string
  code: string
}

export function examplesOf(path: string): Example[] {
  const found = readFileSync(path, 'utf8').matchAll(/<!-- (\w+): ([\w.-]+) -->\n```\w+\n((?:(?!```).*\n)*)```/g)
  return [...found].map(([, kind = '', name = '', code = '']) => ({ kind, name, code }))
}

export function example(path: string, kind: string, name: string): string {
  const one = examplesOf(path).find((candidate) => candidate.kind === kind && candidate.name === name)
  if (one === undefined) throw new Error(`${path} has no example "${kind}: ${name}"`)
  return one.code
}
