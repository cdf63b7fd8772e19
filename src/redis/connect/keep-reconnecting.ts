import type { Redis } from 'ioredis'
import { isClosedByCaller } from '../client.js'

/**
 * ioredis gives up for good when Sentinels announce a new master in the very moment in which it asks them for one, and when a
 * connection cannot even be tried. It shows in that the client ends without having closed, and without having been asked to.
 *
 * @param delayMs by how often it has been tried
 */
export function connectForEver(client: Redis, delayMs: (times: number) => number): Redis {
  let last = ''
  let times = 0
  for (const status of ['connecting', 'ready', 'close', 'end'] as const) {
    client.on(status, () => {
      const gaveUp = status === 'end' && last === 'connecting' && !isClosedByCaller(client)
      last = status
      if (status === 'ready') times = 0
      if (gaveUp) setTimeout(() => connectAgain(client), delayMs(++times))
    })
  }
  return client
}

function connectAgain(client: Redis): void {
  if (client.status === 'end' && !isClosedByCaller(client)) client.connect().catch(() => undefined)
}
