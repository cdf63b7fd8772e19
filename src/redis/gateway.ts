import type { RedisClient } from './client.js'
import { fromRedis, replyCode } from './redis-error.js'
import type { Script } from './scripts/script.js'

type Arg = string | number

/** The one place from which commands on single keys leave; every error that comes back is wrapped (redis-error.ts). */
export class Gateway {
  readonly #client: RedisClient
  readonly #onReply: () => void

  /** @param onReply called whenever Redis has answered as it should */
  constructor(client: RedisClient, onReply: () => void) {
    this.#client = client
    this.#onReply = onReply
  }

  del(key: string): Promise<number> {
    return this.#send('DEL', () => this.#client.del(key))
  }

  /** Resolves whether there is such a key. */
  async pexpire(key: string, ms: number): Promise<boolean> {
    return (await this.#send('PEXPIRE', () => this.#client.pexpire(key, ms))) === 1
  }

  /** -1: no TTL, -2: no such key. */
  pttl(key: string): Promise<number> {
    return this.#send('PTTL', () => this.#client.pttl(key))
  }

  async exists(key: string): Promise<boolean> {
    return (await this.#send('EXISTS', () => this.#client.exists(key))) === 1
  }

  /** An empty string that goes away by itself. */
  async setMarker(key: string, ms: number): Promise<void> {
    await this.#send('SET', () => this.#client.set(key, '', 'PX', ms))
  }

  async ping(): Promise<void> {
    await this.#send('PING', () => this.#client.ping())
  }

  /** A flat list `[field, text, ...]`, `[]` if there is no such key, `null` if the key is not a hash. */
  async hgetall(key: string): Promise<string[] | null> {
    const reply = await this.#send('HGETALL', () => this.#client.hgetall(key), null)
    return reply === null ? null : flatten(reply)
  }

  /** `null` if the key is not a hash. */
  hmget(key: string, fields: readonly string[]): Promise<(string | null)[] | null> {
    return this.#send('HMGET', () => this.#client.hmget(key, ...fields), null)
  }

  /** `null` if there is no such key, `undefined` if the key is not a string. */
  get(key: string): Promise<string | null | undefined> {
    return this.#send('GET', () => this.#client.get(key), undefined)
  }

  /** Runs by digest and falls back to the text: SCRIPT FLUSH, a restart or a failover stays invisible to callers. */
  async script(script: Script, key: string, args: readonly Arg[]): Promise<unknown> {
    return this.#send(`script ${script.name}`, async () => {
      try {
        return await this.#client.evalsha(script.sha, 1, key, ...args)
      } catch (err) {
        if (replyCode(err) !== 'NOSCRIPT') throw err
        return this.#client.eval(script.lua, 1, key, ...args)
      }
    })
  }

  /** @param wrongType what to resolve if the key is of another type; without it that is an error like any other */
  async #send<T, W = never>(what: string, call: () => Promise<T>, ...wrongType: [] | [W]): Promise<T | W> {
    try {
      const reply = await call()
      this.#onReply()
      return reply
    } catch (err) {
      if (wrongType.length === 1 && replyCode(err) === 'WRONGTYPE') return wrongType[0]
      throw fromRedis(err, what, this.#client.status === 'ready')
    }
  }
}

/** ioredis makes an object of the reply; the caller's own reply transformers may make a Map of it, or leave it flat. */
function flatten(reply: unknown): string[] {
  if (Array.isArray(reply)) return reply as string[]
  const entries = reply instanceof Map ? [...reply.entries()] : Object.entries(reply as Record<string, string>)
  return entries.flat() as string[]
}
