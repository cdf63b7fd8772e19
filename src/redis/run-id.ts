import type { Ask } from './client.js'

/** Identifies the server process; a restart changes it. */
export async function runIdOf(server: Ask): Promise<string | undefined> {
  return /^run_id:(\w+)/m.exec(String(await server.ask('info', 'server')))?.[1]
}
