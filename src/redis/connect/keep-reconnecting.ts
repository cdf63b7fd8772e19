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
  const connectAgain = () => {
    if (isWanted && client.status === 'end') client.connect().catch(() => undefined)
  }
  for (const status of ['connecting', 'ready', 'close', 'end'] as const) {
    client.on(status, () => {
      const gaveUp = status === 'end' && last === 'connecting' && isWanted && !isClosedByCaller(client)
      last = status
      if (status === 'ready') {
        isWanted = true
        times = 0
      }
      if (!gaveUp) return
      clearTimeout(timer)
      timer = setTimeout(connectAgain, delayMs(++times))
    })
  }
  const { connect, quit, disconnect } = client
  client.connect = (...args) => {
    clearTimeout(timer)
    if (client.status === 'end' || client.status === 'reconnecting') {
      isWanted = true
      // ioredis resets this only when a connection closes. A client that was closed without one would count as closed
      // for good.
      internalsOf(client).manuallyClosing = false
    }
    return connect.apply(client, args)
  }
  // Without a connection, ioredis may refuse to quit, and would go on with its attempts.
  client.quit = ((...args: Parameters<Redis['quit']>) => {
    giveUp()
    const quitting = quit.apply(client, args)
    quitting.catch(() => {
      if (!isWanted) disconnect.call(client)
    })
    return quitting
  }) as Redis['quit']
  client.disconnect = (reconnect) => {
    if (reconnect !== true) giveUp()
    disconnect.call(client, reconnect)
  }
  return client
}
