import type { Ask } from './client.js'
import { replyCode } from './redis-error.js'

/** Identifies the server process; a restart changes it. */
export async function runIdOf(server: Ask): Promise<string | undefined> {
  return /^run_id:(\w+)/m.exec(String(await server.ask('info', 'server')))?.[1]
}

/** Like `runIdOf`, and resolves undefined if Redis refuses INFO. */
export function knownRunIdOf(server: Ask): Promise<string | undefined> {
  return runIdOf(server).catch((err: unknown) => (replyCode(err) === '' ? Promise.reject(err) : undefined))
}
