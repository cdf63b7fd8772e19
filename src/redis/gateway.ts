import { SessionStoreError } from '../errors.js'
import type { Availability } from './availability.js'
import type { Arg, Client, Server } from './client.js'
import { type Signal, timedOut } from './deadline.js'
import { ping } from './ping.js'
import { fromRedis, inScript, replyCode } from './redis-error.js'
import { MEMORY } from './scripts/memory.js'
import { PAGE } from './scripts/page.js'
import { toInteger, UnexpectedReply } from './scripts/reply.js'
import type { Script } from './scripts/script.js'
import type { Waiting } from './waiting-commands.js'

type Reported = Pick<Availability, 'isShut' | 'waiting' | 'sent' | 'answered' | 'refused' | 'hasFailedSince'>

/**
 * Up to so many commands under way, a server is not busy, and what a request sends alone need not be collected. Above,
 * commands come back in batches, and to send the first of each at once would split the batches.
 */
const FEW = 8

/** Sends all commands on single keys, and converts every error (redis-error.ts). */
export class Gateway {
  readonly #client: Client
  readonly #timeoutMs: number
  readonly #availability: Reported
  /** Counts scripts that were sent a second time, because Redis did not know them. */
  readonly #again: { count: number }
  #signal: Signal | undefined
  /** Called with the key before a command that may change it is sent, and again after its reply or failure. */
  onWrite: ((key: string) => void) | undefined

  /** Called with what Redis's clock was when a script ran, and with the time by `performance.now()` at which it was sent. */
  onTime: ((key: string, redisMs: number, sentAt: number) => void) | undefined

  /**
   * @param timeoutMs used only in error messages
   * @param availability hears of every command and its result, and decides whether commands may be sent
   */
  constructor(client: Client, timeoutMs: number, availability: Reported, again = { count: 0 }) {
    this.#client = client
    this.#timeoutMs = timeoutMs
    this.#availability = availability
    this.#again = again
  }

  /** Returns a gateway for one operation. Once the operation is over, the gateway sends nothing more. */
  until(signal: Signal): Gateway {
    const bound = new Gateway(this.#client, this.#timeoutMs, this.#availability, this.#again)
    bound.#signal = signal
    bound.onWrite = this.onWrite
    bound.onTime = this.onTime
    return bound
  }

  /** How often the client has lost a connection: what was under way then, it may have sent twice. */
  get losses(): number {
    return this.#client.losses
  }

  /** Whether Redis runs scripts in the order in which they are sent (`Client.keepsOrder`), unless `disorders` grows meanwhile. */
  get keepsOrder(): boolean {
    return this.#client.keepsOrder
  }

  /** How often a command may have run after commands that were sent behind it, because it was sent a second time. */
  get disorders(): number {
    return this.#client.losses + this.#again.count
  }

  /**
   * What to wait for before the next step, where that must follow this one whether or not this one fails. Where
   * commands keep their order there is no need to wait, so both steps leave together.
   *
   * @param step never rejects
   */
  before(step: Promise<unknown>): Promise<unknown> | undefined {
    return this.keepsOrder ? undefined : step
  }

  async del(key: string): Promise<number> {
    return integer('DEL', await this.#write(key, () => this.#send('DEL', key, () => this.#client.send('del', key))))
  }

  /** @returns milliseconds; -1: no TTL, -2: no such key */
  async pttl(key: string): Promise<number> {
    return integer('PTTL', await this.#send('PTTL', key, () => this.#client.send('pttl', key)))
  }

  async exists(key: string): Promise<boolean> {
    return integer('EXISTS', await this.#send('EXISTS', key, () => this.#client.send('exists', key))) === 1
  }

  /** @returns the name that Redis has for what the key holds: 'hash', 'string', 'none' */
  async type(key: string): Promise<string> {
    const reply = await this.#send('TYPE', key, () => this.#client.send('type', key))
    if (typeof reply !== 'string') throw unexpected('TYPE')
    return reply
  }

  /** Sets a key without content for a time (milliseconds), unless it is there already. */
  async setMarker(key: string, ms: number): Promise<void> {
    await this.#send('SET', key, () => this.#client.send('set', key, '', 'PX', ms, 'NX'))
  }

  /**
   * Reads members of a sorted set with their scores, lowest score first. The ranks are those of ZRANGE; -1 is the last.
   */
  async zmembers(key: string, first = 0, last = -1): Promise<[member: string, score: string][]> {
    const reply = await this.#send('ZRANGE', key, () => this.#client.send('zrange', key, first, last, 'WITHSCORES'))
    if (!Array.isArray(reply)) throw unexpected('ZRANGE')
    return pairsIn(reply.flat())
  }

  /** Reads members of a sorted set with their scores, highest score first, after a given member (scripts/page.ts). */
  async zmembersAfter(key: string, score: string, member: string, most: number): Promise<[string, string][]> {
    return pairsIn(await this.script(PAGE, key, [score, member, most]))
  }

  /** Counts the members of a sorted set that have at least this score. */
  async zcount(key: string, score: number): Promise<number> {
    return integer('ZCOUNT', await this.#send('ZCOUNT', key, () => this.#client.send('zcount', key, score, '+inf')))
  }

  async zcard(key: string): Promise<number> {
    return integer('ZCARD', await this.#send('ZCARD', key, () => this.#client.send('zcard', key)))
  }

  /** @returns null if it is not a member */
  async zscore(key: string, member: string): Promise<string | null> {
    const reply = await this.#send('ZSCORE', key, () => this.#client.send('zscore', key, member))
    return reply === null ? null : String(reply)
  }

  async zrem(key: string, member: string): Promise<void> {
    await this.#send('ZREM', key, () => this.#client.send('zrem', key, member))
  }

  /** Returns how many different members a HyperLogLog has counted; 0 if there is no such key. */
  async pfcount(key: string): Promise<number> {
    return integer('PFCOUNT', await this.#send('PFCOUNT', key, () => this.#client.send('pfcount', key)))
  }

  /** @returns bytes; 0 if there is no such key */
  async memoryUsage(key: string): Promise<number> {
    // ioredis 5 and iovalkey do not put `keyPrefix` in front of the key of MEMORY USAGE, but always do for scripts.
    if (this.#client.keyPrefix !== '') return this.script(MEMORY, key, [])
    const reply = await this.#send('MEMORY USAGE', key, () => this.#client.memoryUsage(key))
    return reply === null ? 0 : integer('MEMORY USAGE', reply)
  }

  async ping(): Promise<void> {
    await this.#wait('PING', undefined, () => ping(this.#client))
  }

  /**
   * Sends a command to the master of the key, even while this master is known to be away. In a Cluster, a replica may
   * have replaced it, so the client first asks again which master serves the key.
   */
  async probe(key: string | undefined): Promise<void> {
    const client = this.#client
    if (key === undefined || !client.isCluster) return this.ping()
    client.refresh().catch(() => undefined)
    await this.#wait('EXISTS', key, () => client.send('exists', key))
  }

  /**
   * Reads a hash. Does not use #send, which would cost every request one more promise.
   *
   * @returns a flat list `[field, text, ...]`; `[]` if there is no such key, null if the key is not a hash
   */
  async hgetall(key: string): Promise<string[] | null> {
    const refusal = this.#refusal('HGETALL', key)
    if (refusal !== undefined) throw refusal
    const waiting = this.#begin(key, true)
    try {
      const reply = await this.#client.hgetall(key)
      this.#availability.answered(waiting)
      return this.#fieldsIn(reply)
    } catch (err) {
      return this.#failed(err, 'HGETALL', waiting, null)
    }
  }

  /**
   * Reads a hash and its TTL (milliseconds; -1: none, -2: no such key) from one server. Both commands leave in the same
   * turn, so this takes one round trip.
   */
  async hgetallPttl(key: string, server: Server): Promise<{ fields: string[] | null; pttl: number }> {
    const ask = () => Promise.all([server.hgetall(key), server.send('pttl', key)])
    const reply = await this.#send('HGETALL', key, ask, null)
    if (reply === null) return { fields: null, pttl: -2 }
    return { fields: this.#fieldsIn(reply[0]), pttl: integer('PTTL', reply[1]) }
  }

  /** @returns null if the key is not a hash */
  async hmget(key: string, fields: readonly string[]): Promise<(string | null)[] | null> {
    const reply = await this.#send('HMGET', key, () => this.#client.send('hmget', key, ...fields), null)
    if (reply !== null && !Array.isArray(reply)) throw unexpected('HMGET')
    return reply && this.#client.elementsIn(reply as (string | null)[])
  }

  /** @returns the names of all fields; `[]` if there is no such key, null if the key is not a hash */
  async hkeys(key: string): Promise<string[] | null> {
    const reply = await this.#send('HKEYS', key, () => this.#client.send('hkeys', key), null)
    if (reply !== null && !Array.isArray(reply)) throw unexpected('HKEYS')
    return reply && this.#client.elementsIn(reply as string[])
  }

  /** @returns null if there is no such key, undefined if the key is not a string */
  get(key: string): Promise<string | null | undefined> {
    const ask = () => this.#client.send('get', key) as Promise<string | null>
    return this.#send('GET', key, ask, undefined)
  }

  /**
   * Runs a script by its digest, or by its text if Redis does not know it: after SCRIPT FLUSH, a restart or a failover.
   *
   * @returns the reply as the script's decoder returns it
   */
  async script<Reply>(script: Script<Reply>, key: string, args: readonly Arg[], server?: Server): Promise<Reply> {
    const refusal = this.#refusal(script.title, key)
    if (refusal !== undefined) throw refusal
    const commands = server ?? this.#client
    const onWrite = script.isRead ? undefined : this.onWrite
    onWrite?.(key)
    const waiting = this.#begin(key, script.isAlone)
    let raw: unknown
    try {
      raw = await commands.evalsha(script.sha, key, args)
    } catch (err) {
      raw = await this.#withText(err, script, waiting, () => commands.eval(script.lua, key, args))
    } finally {
      onWrite?.(key)
    }
    this.#availability.answered(waiting)
    const reply = this.#decoded(script, raw)
    const redisMs = script.timeOf(reply, args)
    if (redisMs !== undefined) this.onTime?.(key, redisMs, waiting.since)
    return reply
  }

  /** @param err the answer to the digest of the script */
  async #withText<T>(err: unknown, script: Script, waiting: Waiting, send: () => Promise<T>): Promise<T> {
    try {
      if (replyCode(err) !== 'NOSCRIPT') throw err
      // If this has timed out, the caller may have ended the session since. The second attempt must not recreate it.
      if (this.#availability.hasFailedSince(waiting.since)) throw timedOut(this.#timeoutMs)
      this.#again.count += 1
      return await send()
    } catch (last) {
      return this.#failed(inScript(last, script.lua), script.title, waiting)
    }
  }

  #fieldsIn(reply: unknown): string[] {
    const fields = this.#client.fieldsIn(reply)
    if (fields === undefined) throw unexpected('HGETALL')
    return fields
  }

  #decoded<Reply>(script: Script<Reply>, raw: unknown): Reply {
    // A script that has nothing but a code to say does not make a list of it.
    const isCode = typeof raw === 'number' || typeof raw === 'string'
    if (!isCode && !Array.isArray(raw)) throw unexpected(script.title)
    const reply = isCode ? [raw] : this.#client.elementsIn(raw as unknown[])
    reply[0] = integer(script.title, reply[0])
    try {
      return script.decode(reply as [number, ...unknown[]])
    } catch (err) {
      throw err instanceof UnexpectedReply ? unexpected(script.title) : err
    }
  }

  #write<T>(key: string, send: () => Promise<T>): Promise<T> {
    const { onWrite } = this
    if (onWrite === undefined) return send()
    onWrite(key)
    return send().finally(() => onWrite(key))
  }

  /** @param wrongType what to resolve if the key has another type; without it, this is an error */
  #send<T, W = never>(what: string, key: string, call: () => Promise<T>, ...wrongType: [] | [W]): Promise<T | W> {
    const refusal = this.#refusal(what, key)
    if (refusal !== undefined) return Promise.reject(refusal)
    return this.#wait(what, key, call, ...wrongType)
  }

  /** Returns why no command may be sent; undefined if it may. */
  #refusal(what: string, key: string): SessionStoreError | undefined {
    if (this.#signal?.aborted) return timedOut(this.#timeoutMs)
    return this.#availability.isShut(key) ? leftAlone(what) : undefined
  }

  async #wait<T, W = never>(
    what: string,
    key: string | undefined,
    call: () => Promise<T>,
    ...wrongType: [] | [W]
  ): Promise<T | W> {
    const waiting = this.#begin(key)
    try {
      const reply = await call()
      this.#availability.answered(waiting)
      return reply
    } catch (err) {
      return this.#failed(err, what, waiting, ...wrongType)
    }
  }

  #begin(key: string | undefined, isAlone = false): Waiting {
    this.#client.hold(isAlone && this.#availability.waiting < FEW)
    return this.#availability.sent(key)
  }

  #failed<W>(err: unknown, what: string, waiting: Waiting, ...wrongType: [] | [W]): W {
    const failure = fromRedis(err, what, this.#client.isReady)
    this.#availability.refused(waiting, failure)
    if (wrongType.length === 1 && replyCode(err) === 'WRONGTYPE') return wrongType[0]
    throw failure
  }
}

function pairsIn(flat: readonly unknown[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [String(flat[2 * i]), String(flat[2 * i + 1])])
}

/** Checks an integer reply. A client with the option `stringNumbers` returns integers as text. */
function integer(command: string, reply: unknown): number {
  const number = toInteger(reply)
  if (Number.isNaN(number)) throw unexpected(command)
  return number
}

function leftAlone(command: string): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_UNAVAILABLE', `Redis has stopped answering, and is probed (${command})`)
}

/** An example is QUEUED, if the application has begun a transaction on the same connection. */
function unexpected(command: string): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_REDIS', `Redis gave an unexpected reply to ${command}`)
}
