import { realSetImmediate } from '../../../real-set-immediate.js'
import { type Ioredis, isCluster, streamOf } from './internals.js'

/** The methods of Node's Writable that this file needs. */
interface Corkable {
  cork(): void
  uncork(): void
}

/**
 * Sends the commands of one turn of the event loop in one system call, as node-redis does. ioredis makes one system
 * call for each command, which costs a busy server more than the command itself. Unlike ioredis's
 * `enableAutoPipelining`, this changes neither the order nor the results of commands, and needs no option of the
 * application's client. Commands that the application sends over the same connection meanwhile are included.
 */
export class Cork {
  readonly #client: Ioredis
  /** Whether a command has been sent in this turn. */
  #hasSent = false
  #held: Corkable[] | undefined

  constructor(client: Ioredis) {
    this.#client = client
  }

  /**
   * Call this before sending. Commands then leave at the end of this turn of the event loop.
   *
   * @param isAlone whether the request usually sends nothing else in this turn. If it is the first command of the turn,
   *   it leaves at once: on a server that is not busy, the turn ends when the response has been written
   */
  hold(isAlone: boolean): void {
    if (this.#held !== undefined) return
    const isFirst = !this.#hasSent
    this.#hasSent = true
    // An immediate runs after the callbacks of all requests that have arrived in the same turn.
    if (isFirst) realSetImmediate(this.#release)
    if (isFirst && isAlone) return
    const held = isCluster(this.#client) ? this.#client.nodes().map(corkableOf) : [corkableOf(this.#client)]
    this.#held = held.filter((stream) => stream !== undefined)
    for (const stream of this.#held) stream.cork()
  }

  readonly #release = () => {
    const held = this.#held ?? []
    this.#hasSent = false
    this.#held = undefined
    // If a connection has ended meanwhile, this does nothing.
    for (const stream of held) stream.uncork()
  }
}

/** Returns undefined while there is no connection. */
function corkableOf(client: Ioredis): Corkable | undefined {
  const stream = streamOf(client)
  return typeof stream?.cork === 'function' && typeof stream.uncork === 'function' ? (stream as Corkable) : undefined
}
