import { type Ioredis, isClosedByCaller, isCluster, optionsOf } from './internals.js'

const left = new WeakSet<Ioredis>()

/**
 * Ends the connections to the Sentinels together with the client. With `failoverDetector`, ioredis keeps them after QUIT, and they
 * keep the process alive; only `disconnect` ends them.
 */
export function leaveSentinels(client: Ioredis): void {
  if (isCluster(client) || optionsOf(client)?.failoverDetector !== true || left.has(client)) return
  left.add(client)
  client.on('end', () => {
    // A client that has ended by itself may be told to connect again, and would not after this.
    if (isClosedByCaller(client)) client.disconnect()
  })
}
