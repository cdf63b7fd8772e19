import { SessionStoreError } from '../errors.js'
import type { Availability, Waiting } from './availability.js'
import { isCluster, keyPrefixOf, type RedisClient, type RedisNode } from './client.js'
import { asOneArgument } from './clients/ioredis-internals.js'
import { Losses } from './connection-losses.js'
import { Cork } from './cork.js'
import { type Signal, timedOut } from './deadline.js'
import { fromRedis, inScript, replyCode } from './redis-error.js'
import { MEMORY } from './scripts/memory.js'
import { PAGE } from './scripts/page.js'
import { toInteger, UnexpectedReply } from './scripts/reply.js'
import type { Script } from './scripts/script.js'

type Arg = string | number

type Reported = Pick<Availability, 'isShut' | 'sent' | 'answered' | 'refused' | 'hasFailedSince'>

/** The one place from which commands on single keys leave; every error that comes back is wrapped (redis-error.ts). */
export class Gateway {
  readonly #client: RedisClient
  readonly #cork: Cork
  readonly #timeoutMs: number
  readonly #availability: Reported
  #signal: Signal | undefined
  /** Told of a key before what may change it is sent, and again when that has been answered or has failed. */
  onWrite: ((key: string) => void) | undefined

  /** Told what Redis's clock was when a script ran, and when that was sent, of `performance.now()`. */
  onTime: ((key: string, redisMs: number, sentAt: number) => void) | undefined

  /**
   * @param timeoutMs for messages
   * @param availability is told of every command and what becomes of it, and says when Redis need not be asked
   */
  constructor(client: RedisClient, timeoutMs: number, availability: Reported, cork = new Cork(client)) {
    this.#client = client
    this.#cork = cork
    this.#timeoutMs = timeoutMs
    this.#availability = availability
  }

  /** The same for one operation: once that is over, nothing more is sent for it. */
  until(signal: Signal): Gateway {
    const bound = new Gateway(this.#client, this.#timeoutMs, this.#availability, this.#cork)
    bound.#signal = signal
    bound.onWrite = this.onWrite
    bound.onTime = this.onTime
    return bound
  }

  /** How often the client has lost a connection: what was under way then, it may have sent twice. */
  get losses(): number {
    return Losses.of(this.#client).count
  }

  async del(key: string): Promise<number> {
    return integer('DEL', await this.#write(key, () => this.#send('DEL', key, () => this.#client.del(key))))
  }

  /** -1: no TTL, -2: no such key. */
  async pttl(key: string): Promise<number> {
    return integer('PTTL', await this.#send('PTTL', key, () => this.#client.pttl(key)))
  }

  async exists(key: string): Promise<boolean> {
    return integer('EXISTS', await this.#send('EXISTS', key, () => this.#client.exists(key))) === 1
  }

  /** An empty string that goes away by itself, unless there is something already. */
  async setMarker(key: string, ms: number): Promise<void> {
    await this.#send('SET', key, () => this.#client.set(key, '', 'PX', ms, 'NX'))
  }

  /** Members of a sorted set with their scores, lowest score first; ranks as ZRANGE takes them, -1 is the last. */
  async zmembers(key: string, first = 0, last = -1): Promise<[member: string, score: string][]> {
    const reply: unknown = await this.#send('ZRANGE', key, () =>
      this.#client.zrange(key, `${first}`, `${last}`, 'WITHSCORES'),
    )
    if (!Array.isArray(reply)) throw unexpected('ZRANGE')
    return pairsIn(reply.flat())
  }

  /** Members of a sorted set with their scores, highest score first, from those behind a certain one on (scripts/page.ts). */
  async zmembersAfter(key: string, score: string, member: string, most: number): Promise<[string, string][]> {
    return pairsIn(await this.script(PAGE, key, [score, member, most]))
  }

  /** How many members a sorted set has with this score or a higher one. */
  async zcount(key: string, score: number): Promise<number> {
    return integer('ZCOUNT', await this.#send('ZCOUNT', key, () => this.#client.zcount(key, score, '+inf')))
  }

  async zcard(key: string): Promise<number> {
    return integer('ZCARD', await this.#send('ZCARD', key, () => this.#client.zcard(key)))
  }

  /** null if it is not a member. */
  async zscore(key: string, member: string): Promise<string | null> {
    const reply: unknown = await this.#send('ZSCORE', key, () => this.#client.zscore(key, member))
    return reply === null ? null : String(reply)
  }

  async zrem(key: string, member: string): Promise<void> {
    await this.#send('ZREM', key, () => this.#client.zrem(key, member))
  }

  /** How many different members a HyperLogLog has counted; 0 if there is no such key. */
  async pfcount(key: string): Promise<number> {
    return integer('PFCOUNT', await this.#send('PFCOUNT', key, () => this.#client.pfcount(key)))
  }

  /** Bytes; 0 if there is no such key. */
  async memoryUsage(key: string): Promise<number> {
    // ioredis 5 and iovalkey do not see that MEMORY USAGE has a key, but what a script has they always see.
    if (keyPrefixOf(this.#client) !== '') return this.script(MEMORY, key, [])
    const reply = await this.#send('MEMORY USAGE', key, () => this.#client.memory('USAGE', key))
    return reply === null ? 0 : integer('MEMORY USAGE', reply)
  }

  async ping(): Promise<void> {
    await this.#wait('PING', undefined, () => this.#client.ping())
  }

  /**
   * Asks whoever serves the key whether they are there, and also while they are known to be away. In a Cluster, where a replica may have
   * taken the place of a master that is gone, the client looks again who that is.
   */
  async probe(key: string | undefined): Promise<void> {
    const client = this.#client
    if (key === undefined || !isCluster(client)) return this.ping()
    client.refreshSlotsCache()
    await this.#wait('EXISTS', key, () => client.exists(key))
  }

  /**
   * A flat list `[field, text, ...]`, `[]` if there is no such key, `null` if the key is not a hash. What every request waits
   * for: one promise less than by #send.
   */
  async hgetall(key: string): Promise<string[] | null> {
    const refusal = this.#refusal('HGETALL', key)
    if (refusal !== undefined) throw refusal
    const waiting = this.#begin(key)
    try {
      const reply = await this.#askForAll(this.#client, key)
      this.#availability.answered(waiting)
      return flatten(reply)
    } catch (err) {
      return this.#failed(err, 'HGETALL', waiting, null)
    }
  }

  /** The same with the key's TTL (-1: none, -2: no such key), in one round trip, at a certain server: both leave in the same turn. */
  async hgetallPttl(key: string, node: RedisNode): Promise<{ fields: string[] | null; pttl: number }> {
    const sent = this.#keyAt(node, key)
    const ask = () => Promise.all([this.#askForAll(node, sent), node.pttl(sent)])
    const reply = await this.#send('HGETALL', key, ask, null)
    if (reply === null) return { fields: null, pttl: -2 }
    return { fields: flatten(reply[0]), pttl: integer('PTTL', reply[1]) }
  }

  /** `null` if the key is not a hash. */
  async hmget(key: string, fields: readonly string[]): Promise<(string | null)[] | null> {
    const reply = await this.#send('HMGET', key, () => this.#client.hmget(key, ...fields), null)
    if (reply !== null && !Array.isArray(reply)) throw unexpected('HMGET')
    return reply && takeOut(reply)
  }

  /** `null` if there is no such key, `undefined` if the key is not a string. */
  get(key: string): Promise<string | null | undefined> {
    return this.#send('GET', key, () => this.#client.get(key), undefined)
  }

  /**
   * Runs by digest and falls back to the text: SCRIPT FLUSH, a restart or a failover stays invisible to callers.
   *
   * @returns what the script's decoder makes of its reply
   */
  async script<Reply>(script: Script<Reply>, key: string, args: readonly Arg[], node?: RedisNode): Promise<Reply> {
    const run = () => this.#send(`script ${script.name}`, key, () => this.#evaluate(script, key, args, node))
    const sentAt = performance.now()
    const raw = await (script.isRead ? run() : this.#write(key, run))
    const reply = decoded(script, raw)
    const redisMs = script.timeOf(reply, args)
    if (redisMs !== undefined) this.onTime?.(key, redisMs, sentAt)
    return reply
  }

  #evaluate(script: Script, key: string, args: readonly Arg[], node?: RedisNode): Promise<unknown> {
    const client = node ?? this.#client
    const sent = node === undefined ? key : this.#keyAt(node, key)
    const start = performance.now()
    const list = asOneArgument(args)
    const failed = (err: unknown) => {
      throw inScript(err, script.lua)
    }
    return client.evalsha(script.sha, 1, sent, list).catch((err: unknown) => {
      if (replyCode(err) !== 'NOSCRIPT') return failed(err)
      // What was ended meanwhile, because this has timed out, must not come back by its second attempt.
      if (this.#availability.hasFailedSince(start)) throw timedOut(this.#timeoutMs)
      return client.eval(script.lua, 1, sent, list).catch(failed)
    })
  }

  /**
   * ioredis makes an object of what Redis answers to its `hgetall`, of which we would make a list again. In capitals, a command is
   * one that it has no transformation for; older versions do not see then which arguments are keys.
   */
  #askForAll(client: RedisClient, key: string): Promise<unknown> {
    const needsKeys = isCluster(client) || keyPrefixOf(client) !== ''
    return needsKeys ? client.hgetall(key) : client.call('HGETALL', key)
  }

  #write<T>(key: string, send: () => Promise<T>): Promise<T> {
    const { onWrite } = this
    if (onWrite === undefined) return send()
    onWrite(key)
    return send().finally(() => onWrite(key))
  }

  /** A node of a Cluster may put none of the Cluster's `keyPrefix` in front of keys by itself. */
  #keyAt(node: RedisNode, key: string): string {
    return (keyPrefixOf(this.#client) + key).slice((node.options.keyPrefix ?? '').length)
  }

  /** @param wrongType what to resolve if the key is of another type; without it that is an error like any other */
  #send<T, W = never>(what: string, key: string, call: () => Promise<T>, ...wrongType: [] | [W]): Promise<T | W> {
    const refusal = this.#refusal(what, key)
    if (refusal !== undefined) return Promise.reject(refusal)
    return this.#wait(what, key, call, ...wrongType)
  }

  /** Why nothing is to be sent. */
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

  #begin(key: string | undefined): Waiting {
    this.#cork.hold()
    return this.#availability.sent(key)
  }

  #failed<W>(err: unknown, what: string, waiting: Waiting, ...wrongType: [] | [W]): W {
    const failure = fromRedis(err, what, this.#client.status === 'ready')
    this.#availability.refused(waiting, failure)
    if (wrongType.length === 1 && replyCode(err) === 'WRONGTYPE') return wrongType[0]
    throw failure
  }
}

/**
 * ioredis makes an object of the reply, or leaves it flat; the caller's own reply transformers may make a Map of it. Empties what it
 * is given, see `takeOut`.
 */
function flatten(reply: unknown): string[] {
  if (typeof reply !== 'object' || reply === null) throw unexpected('HGETALL')
  if (Array.isArray(reply)) return Array.isArray(reply[0]) ? reply.flat() : takeOut(reply)
  if (reply instanceof Map) {
    const entries = [...reply.entries()].flat()
    reply.clear()
    return entries
  }
  const flat: string[] = []
  const texts = reply as Record<string, string>
  for (const field of Object.keys(texts)) {
    flat.push(field, texts[field] as string)
    texts[field] = ''
  }
  return flat
}

/**
 * What a reply holds, leaving nothing in it. A command of ioredis, and with it its reply, stays in memory until the next full garbage
 * collection: V8 makes a closure that is assigned to a property old from birth (`this.reject = …`), and such a closure keeps
 * all that it knows. Copying what young collections found alive there took as long as reading the session.
 */
function takeOut<T>(reply: T[]): T[] {
  const taken = reply.slice()
  reply.length = 0
  return taken
}

function pairsIn(flat: readonly unknown[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [String(flat[2 * i]), String(flat[2 * i + 1])])
}

function decoded<Reply>(script: Script<Reply>, raw: unknown): Reply {
  const what = `script ${script.name}`
  if (!Array.isArray(raw)) throw unexpected(what)
  const reply = takeOut(raw as unknown[])
  reply[0] = integer(what, reply[0])
  try {
    return script.decode(reply as [number, ...unknown[]])
  } catch (err) {
    throw err instanceof UnexpectedReply ? unexpected(what) : err
  }
}

function integer(command: string, reply: unknown): number {
  const number = toInteger(reply)
  if (Number.isNaN(number)) throw unexpected(command)
  return number
}

function leftAlone(command: string): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_UNAVAILABLE', `Redis has stopped answering, and is probed (${command})`)
}

/** For example QUEUED, where the caller has begun a transaction on the same connection. */
function unexpected(command: string): SessionStoreError {
  return new SessionStoreError('ERR_SESSION_REDIS', `Redis gave an unexpected reply to ${command}`)
}
