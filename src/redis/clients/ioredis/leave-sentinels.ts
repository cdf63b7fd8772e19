import { type Ioredis, internalsOf, isCluster, optionsOf } from './internals.js'

const led = new WeakSet<Ioredis>()

/**
 * Ends the connections to the Sentinels together with the client. With `failoverDetector`, ioredis keeps them after QUIT, and they
 * keep the process alive. Its own `disconnect` would end them, too, but the client could not be told to connect again.
 */
export function leaveSentinels(client: Ioredis): void {
  if (isCluster(client) || optionsOf(client)?.failoverDetector !== true || led.has(client)) return
  led.add(client)
  client.on('end', () => {
    // ioredis says so later, and may be connecting again by then.
    if (client.status === 'end') internalsOf(client).connector.disconnect?.()
  })
}
