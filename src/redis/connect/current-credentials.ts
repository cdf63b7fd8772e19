import type { Redis } from 'ioredis'
import { internalsOf } from '../clients/ioredis/internals.js'
import { checkedCredentials, type GetCredentials, type RedisCredentials } from './credentials.js'
import { reconnectDelay } from './request-path-options.js'

/** Milliseconds after which an attempt to connect no longer waits for the application's function. */
const ANSWER_MS = 10_000
/** Part of the validity after which new credentials are asked for. */
const RENEW_AFTER = 0.75
/** Milliseconds. A function that returns passwords that have already expired is not called more often. */
const MIN_RENEW_MS = 1000
/** Milliseconds. Timers of Node cannot wait longer. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Logs connections in with the current credentials: asks for them before each attempt to connect, and again before they
 * expire, when it logs in anew over the connections that are open (AUTH). If the function fails, the last credentials
 * are used until they expire. Clients and their additional connections that have the same function share one of these,
 * so that a restart of Redis does not ask once per connection.
 */
export class CurrentCredentials {
  static readonly #known = new WeakMap<GetCredentials, CurrentCredentials>()
  readonly #get: GetCredentials
  readonly #connections = new Set<Redis>()
  #last: RedisCredentials | undefined
  #asking: Promise<RedisCredentials> | undefined
  #failures = 0
  #timer: NodeJS.Timeout | undefined
  #patience: NodeJS.Timeout | undefined
  /** How many wait for the function. */
  #waiting = 0
  /** Counts calls of the function whose answer nobody waits for any more. */
  #turn = 0

  static of(get: GetCredentials): CurrentCredentials {
    const known = CurrentCredentials.#known.get(get) ?? new CurrentCredentials(get)
    CurrentCredentials.#known.set(get, known)
    return known
  }

  private constructor(get: GetCredentials) {
    this.#get = get
  }

  /** Makes a connection use these credentials. It must not have begun to connect. */
  use(redis: Redis): void {
    const { connector } = internalsOf(redis)
    const { connect: dial, disconnect } = connector
    let callOff = () => {}
    connector.disconnect = () => {
      callOff()
      disconnect?.call(connector)
    }
    connector.connect = async (emit) => {
      this.#connections.add(redis)
      // What ioredis itself says then.
      const closed = new Promise<never>((_resolve, reject) => {
        callOff = () => reject(new Error('Connection is closed.'))
      })
      const { username, password } = await this.#currentUnless(closed)
      internalsOf(redis).condition.auth = username === undefined ? password : [username, password]
      return dial.call(connector, emit)
    }
    redis.on('end', () => {
      // ioredis says so later, and may be connecting again by then.
      if (redis.status !== 'end') return
      this.#connections.delete(redis)
      if (this.#connections.size > 0) return
      clearTimeout(this.#timer)
      this.#forget()
    })
  }

  /** @param calledOff rejects when the attempt to connect is over */
  async #currentUnless(calledOff: Promise<never>): Promise<RedisCredentials> {
    this.#waiting += 1
    try {
      return await Promise.race([this.#current(), calledOff])
    } finally {
      this.#waiting -= 1
      if (this.#waiting === 0) this.#forget()
    }
  }

  /** Nobody waits any more: a function that never answers must not keep the process, nor a later attempt. */
  #forget(): void {
    if (this.#asking === undefined) return
    this.#asking = undefined
    this.#turn += 1
    this.#patience?.unref()
  }

  async #current(): Promise<RedisCredentials> {
    if (this.#asking !== undefined) return this.#asking
    const asking = this.#ask().finally(() => {
      if (this.#asking === asking) this.#asking = undefined
    })
    this.#asking = asking
    return asking
  }

  async #ask(): Promise<RedisCredentials> {
    const turn = this.#turn
    try {
      const answer = checkedCredentials(await this.#answer())
      if (turn !== this.#turn) return answer
      this.#last = answer
      this.#failures = 0
    } catch (err) {
      if (turn !== this.#turn) throw err
      this.#failures += 1
      const last = this.#last
      if (last === undefined || remainingMs(last) <= 0) throw err
      this.#report(err)
    }
    // ioredis copies these options for connections of its own, such as the one that asks a Cluster for its slots.
    const { username, password } = this.#last as RedisCredentials
    for (const redis of this.#connections) Object.assign(redis.options, { username, password })
    this.#schedule()
    return this.#last as RedisCredentials
  }

  /** Calls the application's function, and waits until it returns, but not for too long. */
  async #answer(): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      const err = new Error(`the "credentials" function has not returned within ${ANSWER_MS / 1000} seconds`)
      timer = setTimeout(() => reject(err), ANSWER_MS)
    })
    this.#patience = timer
    try {
      return await Promise.race([this.#get(), late])
    } finally {
      clearTimeout(timer)
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    // The last connection may have been closed while the function was thinking.
    if (this.#connections.size === 0) return
    const left = remainingMs(this.#last as RedisCredentials)
    if (left === Number.POSITIVE_INFINITY) return
    const delay = this.#failures > 0 ? reconnectDelay(this.#failures) : left * RENEW_AFTER
    const ms = Math.min(Math.max(delay, MIN_RENEW_MS), MAX_TIMER_MS)
    this.#timer = setTimeout(() => void this.#renew(), ms).unref()
  }

  /** Logs in anew over the open connections. Errors are those of the connections, which the application listens to. */
  async #renew(): Promise<void> {
    const before = this.#last
    this.#waiting += 1
    try {
      const { username, password } = await this.#current()
      if (this.#last === before) return
      const args = username === undefined ? [password] : [username, password]
      for (const redis of this.#connections) {
        // With RESP2, a connection that is subscribed cannot log in again. It does so when it connects again.
        if (redis.status === 'ready' && redis.mode !== 'subscriber')
          redis.call('AUTH', ...args).catch((err) => silentEmit(redis, err))
      }
    } catch (err) {
      this.#report(err)
      this.#schedule()
    } finally {
      this.#waiting -= 1
    }
  }

  #report(err: unknown): void {
    for (const redis of this.#connections) silentEmit(redis, err)
  }
}

/** Emits `error`. ioredis prints it if there is no listener, instead of ending the process. */
function silentEmit(redis: Redis, err: unknown): void {
  internalsOf(redis).silentEmit('error', err)
}

function remainingMs({ expiresAt }: RedisCredentials): number {
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : Number(expiresAt) - Date.now()
}
