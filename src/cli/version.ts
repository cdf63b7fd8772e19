import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { moduleUrl } from '../redis/connect/module-url.js'

/** The version of this package; its source and its builds lie in different folders below its package.json. */
export function version(): string {
  for (let folder = dirname(fileURLToPath(moduleUrl)); folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (!existsSync(path)) continue
    const { name, version: found } = JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string }
    if (name === 'connect-redis-hash' && found !== undefined) return found
  }
  return 'unknown'
}
