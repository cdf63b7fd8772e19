import type { RedisStore } from 'connect-redis-hash'

/** The history of a session's id. */
export interface IdHistory {
  /** Public name of the session that was ended when this one began. */
  previousHandle: string
  /** `login`, or `demand` if the user was asked for the password again. */
  reason: string
  /** When the user last proved who they are. */
  at: Date
  renewals: number
  renewedAt?: Date
}

const MAX_ENTRIES = 1000

/** Records events of the store, in this process only: a restart loses the history, not the sessions. */
export class SessionHistory {
  readonly #past = new Map<string, IdHistory>()

  constructor(store: RedisStore) {
    store.on('rotated', ({ previousHandle, handle, reason }) => {
      this.#past.delete(previousHandle)
      this.#past.set(handle, { previousHandle, reason, at: new Date(), renewals: 0 })
      const [oldest] = this.#past.keys()
      if (this.#past.size > MAX_ENTRIES && oldest !== undefined) this.#past.delete(oldest)
    })
    store.on('renewed', ({ handle }) => {
      const past = this.#past.get(handle)
      if (past) Object.assign(past, { renewals: past.renewals + 1, renewedAt: new Date() })
    })
    store.on('destroyed', ({ handle }) => this.#past.delete(handle))
  }

  of(handle: string): IdHistory | undefined {
    return this.#past.get(handle)
  }
}
