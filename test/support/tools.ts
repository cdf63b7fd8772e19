import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Programs that the pages call and a bare machine need not have, by the names they may have there. */
const NAMES = { curl: ['curl'], 'redis-cli': ['redis-cli', 'valkey-cli'] }
export type Tool = keyof typeof NAMES

/** Which ones a transcript runs with: those of this machine, and a stand-in for one that is missing; or stand-ins alone. */
export const TOOLS = ['the tools of this machine', 'stand-ins'] as const
export type Tools = (typeof TOOLS)[number]

/** The beginning of a shell command that runs one. */
export function commandOf(tool: Tool, tools: Tools): string {
  const installed = tools === 'stand-ins' ? undefined : NAMES[tool].find(onPath)
  if (installed !== undefined) return `command ${installed}`
  return `'${process.execPath}' '${resolve('test/support/stand-ins', `${tool}.mjs`)}'`
}

/** Shell functions by the names that the pages use. */
export function toolFunctions(tools: Tools): string {
  return (Object.keys(NAMES) as Tool[]).map((tool) => `${tool}() { ${commandOf(tool, tools)} "$@"; }`).join('\n')
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((dir) => existsSync(join(dir, program)))
}
