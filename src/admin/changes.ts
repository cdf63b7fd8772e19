import { LRUCache } from 'lru-cache'
import type { SessionEvents } from '../events.js'
import { handleOf } from '../ids/handle.js'
import { isSid } from '../ids/sid.js'
import type { AdminAccess } from './admin-access.js'
import { type Described, describeSession } from './describe.js'

/** What happened to a session. */
export interface Change {
  at: Date
  /**
   * `changed`: saved or prolonged; the session was not known before, so it cannot be told which. `ended`: why, if a
   * store with `broadcast` has said so, or if its time was over.
   */
  event: 'created' | 'saved' | 'touched' | 'changed' | 'ended'
  handle: string
  reason?: SessionEvents['ended']['reason']
  indexes?: Described['indexes']
}

interface Known {
  session: Described
  saves: string
}

/** Number of sessions that are remembered, and of those that wait to be read. */
const MAX_KNOWN = 50_000
/** Number of sessions that are read at a time. */
const BATCH = 100
/** Milliseconds that a message with the reason of an end may come later than the news that the key has changed. */
const REASON_MS = 300

/**
 * Makes events out of the news that keys have changed. It reads each session that has changed, one batch at a time: of
 * several changes meanwhile, only the last state is seen.
 */
export class Changes {
  readonly #store: AdminAccess
  readonly #tell: (change: Change) => void
  readonly #begun = Date.now()
  readonly #known = new LRUCache<string, Known>({ max: MAX_KNOWN })
  /** Sessions whose end has been told, by handle. */
  readonly #ended = new LRUCache<string, true>({ max: MAX_KNOWN })
  readonly #pending = new Set<string>()
  #reading: Promise<void> | undefined
  #missed = 0
  #isClosed = false
  readonly #onEnded = ({ handle, reason }: SessionEvents['ended']) => this.#hasEnded(handle, reason)

  constructor(store: AdminAccess, tell: (change: Change) => void) {
    this.#store = store
    this.#tell = tell
    store.emitter.on('ended', this.#onEnded)
  }

  /** Tells nothing more. */
  close(): void {
    this.#isClosed = true
    this.#pending.clear()
    this.#store.emitter.off('ended', this.#onEnded)
  }

  /** How many changes were not read because there were too many at once; counts from 0 again. */
  takeMissed(): number {
    const missed = this.#missed
    this.#missed = 0
    return missed
  }

  /** @param key with all prefixes */
  changed(key: string): void {
    const { keys, options } = this.#store.context
    const storedId = keys.storedId(key, options.client.keyPrefix)
    if (!isSid(storedId) || this.#isClosed) return
    if (this.#pending.size >= MAX_KNOWN) this.#missed += 1
    else this.#pending.add(storedId)
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
  }

  async #read(): Promise<void> {
    while (this.#pending.size > 0) {
      const batch = [...this.#pending].slice(0, BATCH)
      for (const storedId of batch) this.#pending.delete(storedId)
      // A session that cannot be read now is read again at its next change.
      const done = await Promise.allSettled(batch.map((storedId) => this.#look(storedId)))
      this.#missed += done.filter(({ status }) => status === 'rejected').length
    }
  }

  async #look(storedId: string): Promise<void> {
    const { context, within } = this.#store
    const handle = handleOf(storedId)
    const [session, saves] = await within(
      Promise.all([describeSession(context, storedId), savesOf(this.#store, storedId)]),
    )
    const known = this.#known.get(handle)
    if (session === null) return this.#isGone(handle, known)
    this.#ended.delete(handle)
    this.#known.set(handle, { session, saves })
    if (this.#isClosed) return
    const { indexes } = session
    const event = this.#eventOf(session, saves, known)
    if (event !== undefined) this.#tell({ at: new Date(), event, handle, indexes })
  }

  #eventOf({ createdAt, seenAt }: Described, saves: string, known: Known | undefined): Change['event'] | undefined {
    if (known === undefined) return (createdAt?.getTime() ?? 0) >= this.#begun ? 'created' : 'changed'
    if (known.saves !== saves) return 'saved'
    return known.session.seenAt?.getTime() === seenAt?.getTime() ? undefined : 'touched'
  }

  #isGone(handle: string, known: Known | undefined): void {
    // A process that hears of the end may know the reason.
    setTimeout(() => {
      const isOver = known?.session.expiresAt != null && known.session.expiresAt.getTime() <= Date.now()
      this.#hasEnded(handle, isOver ? 'expired' : undefined)
    }, REASON_MS).unref()
  }

  #hasEnded(handle: string, reason: Change['reason']): void {
    if (this.#ended.has(handle) || this.#isClosed) return
    this.#ended.set(handle, true)
    const indexes = this.#known.get(handle)?.session.indexes
    this.#known.delete(handle)
    this.#tell({ at: new Date(), event: 'ended', handle, ...(reason && { reason }), ...(indexes && { indexes }) })
  }
}

/** The counter of saves as Redis holds it. */
async function savesOf({ context }: AdminAccess, storedId: string): Promise<string> {
  const [text] = (await context.gateway.hmget(context.keys.session(storedId), ['@'])) ?? []
  return text?.split(' ')[3] ?? ''
}
