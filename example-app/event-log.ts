import type { RedisStore, SessionEventName, SessionEvents } from 'connect-redis-hash'

/** One event, as visitors may read it: what it is, the public name of the session, and a few words. */
export interface LogEntry {
  id: number
  at: Date
  event: SessionEventName
  handle?: string
  text: string
}

const MAX_ENTRIES = 50

/** Says in words what an event carries. The entries of administrators name people, so only what they did is told. */
const TEXTS: { [E in SessionEventName]: (payload: SessionEvents[E]) => string } = {
  created: () => 'was written for the first time',
  saved: ({ fields }) => `${fields} ${fields === 1 ? 'field' : 'fields'} written`,
  destroyed: ({ reason }) => reason,
  ended: ({ reason }) => `its watchers are told: ${reason}`,
  rotated: ({ previousHandle, reason }) => `a new id because of ${reason}; before, it was ${short(previousHandle)}`,
  renewed: () => 'got its next id, because the one before was old enough',
  reuse: () => 'an id that was replaced long ago came back: stolen',
  evicted: () => 'its user has too many',
  refused: ({ operation }) => `${operation}: it had ended meanwhile, and nothing was written`,
  conflict: ({ properties }) => `two requests at once have changed ${properties.join(', ')}`,
  corrupt: ({ reason }) => `unreadable: ${reason}`,
  mismatch: ({ verdict, action }) =>
    `came from another ${verdict === 'both' ? 'client and network' : verdict}: ${action}`,
  bound: () => 'is bound to its device from now on',
  unbound: () => 'came without proof of its device',
  'device-mismatch': ({ reason }) => `proof with a wrong ${reason}: refused`,
  audit: ({ action, outcome }) => `somebody used the admin pages: ${action}, ${outcome}`,
  unavailable: ({ code }) => `Redis does not answer: ${code}`,
  available: ({ downMs }) => `Redis answers again, after ${(downMs / 1000).toFixed(1)} s`,
  warning: ({ message }) => message,
}

/** Keeps the last events of the store, in this process only, and passes new ones on. It asks Redis for nothing. */
export class EventLog {
  readonly #entries: LogEntry[] = []
  readonly #followers = new Set<(entry: LogEntry) => void>()
  #id = 0

  constructor(store: RedisStore) {
    for (const event of Object.keys(TEXTS) as SessionEventName[]) this.#listen(store, event)
  }

  /** The last events, oldest first; only those after this one. */
  since(id = 0): readonly LogEntry[] {
    // A page from before a restart knows larger numbers than there are.
    return id > this.#id ? this.#entries : this.#entries.filter((entry) => entry.id > id)
  }

  get followers(): number {
    return this.#followers.size
  }

  /** @returns a function that ends it */
  follow(follower: (entry: LogEntry) => void): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  #listen<E extends SessionEventName>(store: RedisStore, event: E): void {
    const listener = (payload: SessionEvents[E]) => {
      const handle = 'handle' in payload && event !== 'audit' ? { handle: short(payload.handle as string) } : {}
      this.#add({ id: ++this.#id, at: new Date(), event, ...handle, text: TEXTS[event](payload) })
    }
    // The compiler cannot see that one name stands for both.
    store.on(event, listener as never)
  }

  #add(entry: LogEntry): void {
    this.#entries.push(entry)
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift()
    for (const follower of this.#followers) follower(entry)
  }
}

/** Shortens the public name of a session. */
export function short(handle: string): string {
  return `${handle.slice(0, 8)}…`
}
