import type { Redis } from 'ioredis'
import { isClosedByCaller } from '../clients/ioredis/internals.js'

/**
 * Reconnects a client that ioredis has given up. ioredis gives up if Sentinels announce a new master while it asks them
 * for the master, and if it cannot even start to connect. The client then emits `end` without `close`, although nobody
 * has closed it.
 *
 * @param delayMs computes the delay from the number of attempts, in milliseconds
 */
export function keepReconnecting(client: Redis, delayMs: (times: number) => number): Redis {
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
