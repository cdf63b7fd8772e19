import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Programs that the documentation calls and a machine may lack, with their possible names. */
const NAMES = { curl: ['curl'], 'redis-cli': ['redis-cli', 'valkey-cli'] }
export type Tool = keyof typeof NAMES

/** Programs for a transcript: those of this machine, with stand-ins for missing ones; or only stand-ins. */
export const TOOLS = ['the tools of this machine', 'stand-ins'] as const
export type Tools = (typeof TOOLS)[number]

/** The beginning of a shell command that runs the program. */
export function commandOf(tool: Tool, tools: Tools): string {
  const installed = tools === 'stand-ins' ? undefined : NAMES[tool].find(onPath)
  if (installed !== undefined) return `command ${installed}`
  return `'${process.execPath}' '${resolve('test/support/stand-ins', `${tool}.mjs`)}'`
}

/** Shell functions with the names that the documentation uses. */
export function toolFunctions(tools: Tools): string {
  return (Object.keys(NAMES) as Tool[]).map((tool) => `${tool}() { ${commandOf(tool, tools)} "$@"; }`).join('\n')
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((dir) => existsSync(join(dir, program)))
}
