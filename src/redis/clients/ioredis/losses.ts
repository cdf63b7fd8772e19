import type { Cluster, Redis } from 'ioredis'
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
    if (isCluster(client)) this.#watchCluster(client)
    else this.#watchOne(client)
  }

  #watchOne(client: Redis): void {
    let isReady = client.status === 'ready'
    client.on('ready', () => {
      isReady = true
    })
    client.on('close', () => {
      if (isReady) this.#count++
      isReady = false
    })
  }

  /**
   * Counts masters only: nothing is written to replicas, which come and go in CLUSTER SLOTS, nor to those of the first
   * nodes that a Cluster leaves while it connects.
   */
  #watchCluster(cluster: Cluster): void {
    let isReady = cluster.status === 'ready'
    const masters = new Set<Redis>(isReady ? cluster.nodes('master') : [])
    cluster.on('refresh', () => {
      for (const node of cluster.nodes('master')) masters.add(node)
    })
    cluster.on('ready', () => {
      isReady = true
    })
    // A MOVED reply may name a master before CLUSTER SLOTS does.
    cluster.on('+node', (node: Redis) => {
      if (isReady && !node.options.readOnly) masters.add(node)
    })
    cluster.on('-node', (node: Redis) => {
      if (masters.delete(node)) this.#count++
    })
    cluster.on('close', () => {
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
