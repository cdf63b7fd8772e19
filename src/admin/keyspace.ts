import { BOOKKEEPING_FIELD, parseBookkeeping } from '../hash/bookkeeping.js'
import type { Within } from '../redis/deadline.js'
import { type Repeats, scanIndexKeys, scanStoredIds } from '../redis/scan.js'
import type { ScanPlace } from '../redis/scan-place.js'
import { type Context, reading } from '../session/context.js'
import { destroySession } from '../session/destroy.js'
import { infoOfRecord } from '../session/inspect.js'
import { hasArrived } from '../session/leftovers.js'
import { loadSession } from '../session/load.js'
import { readFields } from '../session/read-hash.js'
import type { Loaded } from '../session/session-record.js'
import type { SessionInfo } from '../session-info.js'

/**
 * All sessions under the store's prefix. It never blocks Redis, but reads every key: use it for administration, not in
 * requests.
 */
export class Keyspace {
  readonly #context: Context
  readonly #within: Within

  /** @param within applies the deadline to each step; all steps together may take long */
  constructor(context: Context, within: Within) {
    this.#context = context
    this.#within = within
  }

  /** Yields the ids of sessions in batches. With `hashIds` sessions may move: one HMGET for each. */
  async *storedIds(): AsyncGenerator<string[]> {
    for await (const batch of this.#found('never')) {
      const { hashIds } = this.#context.options
      const there =
        hashIds === false ? batch : await this.#within((signal) => notMoving(reading(this.#context, signal), batch))
      if (there.length > 0) yield there
    }
  }

  /**
   * Yields the same ids, and those of sessions that are moving to another id, or have done so. It takes little memory,
   * however many there are; while slots of a Cluster move, some come twice.
   *
   * @param place where to go on, and how far the walk has come
   */
  candidates(place?: ScanPlace): AsyncGenerator<string[]> {
    return this.#found('while-slots-move', place)
  }

  async *#found(repeats: Repeats, place?: ScanPlace): AsyncGenerator<string[]> {
    const { options, keys, endOfLife } = this.#context
    for await (const batch of scanStoredIds(options.client, keys, options.scanCount, this.#within, place, repeats)) {
      const there =
        endOfLife === undefined
          ? batch
          : await this.#within((signal) => thoseThere(reading(this.#context, signal), batch))
      if (there.length > 0) yield there
    }
  }

  async *sessions(): AsyncGenerator<Loaded> {
    for await (const batch of this.#found('never')) {
      const loaded = await this.#within((signal) => {
        const context = reading(this.#context, signal)
        return Promise.all(batch.map((id) => loadSession(context, id)))
      })
      for (const one of loaded) if (one !== null) yield one
    }
  }

  /** Info about a session that `sessions` has yielded; null if it has ended since. */
  info({ record }: Loaded): Promise<SessionInfo | null> {
    return this.#within(infoOfRecord(this.#context, record))
  }

  /** Yields the keys of indexes and all other keys that hold no session, in batches; some twice while slots move. */
  indexKeys(place?: ScanPlace): AsyncGenerator<string[]> {
    const { options, keys } = this.#context
    return scanIndexKeys(options.client, keys, options.scanCount, this.#within, place)
  }

  async clear(): Promise<void> {
    const { options, keys, gateway } = this.#context
    for await (const batch of this.candidates()) {
      await this.#within(Promise.all(batch.map((id) => destroySession(this.#context, [id], 'destroyed'))))
    }
    if (options.indexes.length === 0) return
    for await (const keysOfAll of this.indexKeys()) {
      // Keep the activity counts, and ended sessions that `onEnd` has not received yet.
      const batch = keysOfAll.filter((key) => !/^@(activity|ends)$/.test(keys.indexName(key)))
      await this.#within(Promise.all(batch.map((key) => gateway.del(key))))
    }
  }
}

/** Filters out keys that have outlived their session, which the `onEnd` option makes them do. */
async function thoseThere(context: Context, storedIds: readonly string[]): Promise<string[]> {
  const found = await Promise.all(storedIds.map((id) => readFields(context, id, [BOOKKEEPING_FIELD])))
  return storedIds.filter((_, i) => found[i]?.[0] !== null)
}

async function notMoving(context: Context, storedIds: readonly string[]): Promise<string[]> {
  const { gateway, keys } = context
  const there = await Promise.all(
    storedIds.map(async (storedId) => {
      const [text] = (await gateway.hmget(keys.session(storedId), [BOOKKEEPING_FIELD])) ?? []
      const meta = parseBookkeeping(text)
      return !meta?.hasMoved && (!meta?.isArriving || (await hasArrived(context, storedId)))
    }),
  )
  return storedIds.filter((_, i) => there[i])
}
