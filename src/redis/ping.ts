import type { Client } from './client.js'

/**
 * Sends PING. In a Cluster, it goes to every connected master, and the first answer counts: one that hangs does not mean
 * that sessions cannot be read.
 */
export async function ping(client: Client): Promise<void> {
  const connected = client.isCluster ? client.masters().filter(({ isReady }) => isReady) : []
  if (connected.length === 0) {
    await client.ping()
    return
  }
  const answers = connected.map((master) => master.ask('ping'))
  await Promise.any(answers).catch((err: AggregateError) => Promise.reject(err.errors[0]))
}
