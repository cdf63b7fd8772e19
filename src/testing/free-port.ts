import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** Finds a port of 127.0.0.1 on which nothing listens, for a server that cannot choose one itself. */
export async function freePort(): Promise<number> {
  const listening = createServer().listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  listening.close()
  await once(listening, 'close')
  return port
}
