import type { Redis } from 'ioredis'
import { internalsOf, isClosedByCaller } from '../clients/ioredis/internals.js'

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
  let timer: NodeJS.Timeout | undefined
  let isWanted = true
  const giveUp = () => {
    isWanted = false
    clearTimeout(timer)
  }
  for (const status of ['connecting', 'ready', 'close', 'end'] as const) {
    client.on(status, () => {
      const gaveUp = status === 'end' && last === 'connecting' && isWanted && !isClosedByCaller(client)
      last = status
      if (status === 'ready') times = 0
      if (gaveUp) timer = setTimeout(() => connectAgain(client), delayMs(++times))
    })
  }
  const { connect, quit, disconnect } = client
  client.connect = (...args) => {
    if (client.status === 'end') {
      isWanted = true
      // ioredis forgets that only if it had a connection to close.
      internalsOf(client).manuallyClosing = false
    }
    return connect.apply(client, args)
  }
  // While there is no connection, ioredis refuses to quit, and does not note that nobody wants one any more.
  client.quit = ((...args: Parameters<Redis['quit']>) => {
    giveUp()
    return quit.apply(client, args)
  }) as Redis['quit']
  client.disconnect = (reconnect, ...others: []) => {
    if (reconnect !== true) giveUp()
    disconnect.call(client, reconnect, ...others)
  }
  return client
}

function connectAgain(client: Redis): void {
  if (client.status === 'end') client.connect().catch(() => undefined)
}
