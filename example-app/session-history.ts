import type { RedisStore } from 'connect-redis-hash'

/** What has happened to a session's id. */
export interface IdHistory {
  /** The session that was ended when this one began. */
  previousHandle: string
  /** `login`, or `demand`: a password was asked for again. */
  reason: string
  /** When its user last proved who he is. */
  at: Date
  renewals: number
  renewedAt?: Date
}

const MOST = 1000

/** Listens to the store. In this process only: after a restart the past is forgotten, the sessions are not. */
export class SessionHistory {
  readonly #past = new Map<string, IdHistory>()

  constructor(store: RedisStore) {
    store.on('rotated', ({ previousHandle, handle, reason }) => {
      this.#past.delete(previousHandle)
      this.#past.set(handle, { previousHandle, reason, at: new Date(), renewals: 0 })
      const [oldest] = this.#past.keys()
      if (this.#past.size > MOST && oldest !== undefined) this.#past.delete(oldest)
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
