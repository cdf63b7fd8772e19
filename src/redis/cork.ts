import { realSetImmediate } from '../real-set-immediate.js'
import { isCluster, type RedisClient } from './client.js'
import { streamOf } from './clients/ioredis-internals.js'

/** What ioredis connections write to: Node's own Writable. */
interface Corkable {
  cork(): void
  uncork(): void
}

/**
 * Sends in one system call what is asked of Redis in one turn of the event loop, as node-redis does: ioredis makes one
 * for each command, which costs a busy server more than the command itself. Unlike ioredis's `enableAutoPipelining` it changes
 * nothing of the commands, neither their order nor what becomes of each, and it needs no option of a client that is
 * not ours. What the caller sends over the same connection meanwhile goes along.
 */
export class Cork {
  readonly #client: RedisClient
  #held: Corkable[] | undefined

  constructor(client: RedisClient) {
    this.#client = client
  }

  /** Call before sending: what is sent from here on leaves at the end of this turn. */
  hold(): void {
    if (this.#held !== undefined) return
    const held = isCluster(this.#client) ? this.#client.nodes().map(corkableOf) : [corkableOf(this.#client)]
    this.#held = held.filter((stream) => stream !== undefined)
    for (const stream of this.#held) stream.cork()
    // Requests that arrive in the same turn each run their own callback; this comes after all of them.
    realSetImmediate(this.#release)
  }

  readonly #release = () => {
    const held = this.#held ?? []
    this.#held = undefined
    // Of a connection that has ended meanwhile, nothing is left to send, and nothing happens.
    for (const stream of held) stream.uncork()
  }
}

/** undefined while there is no connection. */
function corkableOf(client: RedisClient): Corkable | undefined {
  const stream = streamOf(client)
  return typeof stream?.cork === 'function' && typeof stream.uncork === 'function' ? (stream as Corkable) : undefined
}
