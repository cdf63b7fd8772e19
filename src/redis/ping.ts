import type { Client } from './client.js'

/**
 * Sends PING. In a Cluster, it goes to every master, and the first answer counts: one that hangs does not mean that no
 * session can be read.
 */
export async function ping(client: Client): Promise<void> {
  // Before its first connection, a client knows no masters.
  const masters = client.isCluster ? client.masters().filter(({ isClosed }) => !isClosed) : []
  const answers = masters.length === 0 ? [client.ping()] : masters.map((master) => master.ask('ping'))
  await Promise.any(answers).catch((err: AggregateError) => Promise.reject(err.errors[0]))
}
