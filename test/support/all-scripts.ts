import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Script } from '../../src/redis/scripts/script.js'

const directory = join(__dirname, '..', '..', 'src', 'redis', 'scripts')

export async function allScripts(): Promise<Script[]> {
  const files = readdirSync(directory).filter((file) => file.endsWith('.ts'))
  const modules = await Promise.all(files.map((file) => import(join(directory, file)) as Promise<object>))
  return modules.flatMap((module) => Object.values(module)).filter(isScript)
}

function isScript(value: unknown): value is Script {
  return typeof (value as Script | undefined)?.lua === 'string' && typeof (value as Script).sha === 'string'
}
