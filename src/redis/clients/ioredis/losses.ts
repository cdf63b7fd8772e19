import { type Ioredis, isCluster, optionsOf } from './internals.js'

const known = new WeakMap<Ioredis, Losses>()

/**
 * How often a client has lost a connection that was ready, which is when it sends again what was under way (ioredis:
 * `autoResendUnfulfilledCommands`, in a Cluster `retryDelayOnFailover`). Attempts to connect do not count: what waits for
 * a connection has not been sent. Listens once per client, and not where it sends nothing again.
 */
export class Losses {
  #count = 0

  static of(client: Ioredis): Losses {
    const losses = known.get(client) ?? new Losses(client)
    known.set(client, losses)
    return losses
  }

  private constructor(client: Ioredis) {
    if (!sendsAgain(client)) return
    let isReady = client.status === 'ready'
    const lost = () => {
      if (isReady) this.#count++
    }
    client.on('ready', () => {
      isReady = true
    })
    // Before it is ready, a Cluster leaves those of its first nodes that CLUSTER SLOTS does not name.
    if (isCluster(client)) client.on('-node', lost)
    else client.on('close', lost)
    client.on('close', () => {
      isReady = false
    })
  }

  get count(): number {
    return this.#count
  }
}

function sendsAgain(client: Ioredis): boolean {
  const options = optionsOf(client) ?? {}
  return isCluster(client) ? options.retryDelayOnFailover !== 0 : options.autoResendUnfulfilledCommands !== false
}
