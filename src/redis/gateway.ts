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

  /** Upper-case names skip ioredis's reply transformers, so a reply is what Redis sent whatever the caller installed. */
  async command(name: Uppercase<string>, ...args: Arg[]): Promise<unknown> {
    try {
      const reply = await this.#client.call(name, ...args)
      this.#onReply()
      return reply
    } catch (err) {
      throw fromRedis(err, name)
    }
  }

  /** HGETALL as a flat list `[field, text, ...]`, `[]` if there is no such key, `null` if the key is not a hash. */
  async hgetall(key: string): Promise<string[] | null> {
    try {
      const reply = flatten(await this.#client.call('HGETALL', key))
      this.#onReply()
      return reply
    } catch (err) {
      if (replyCode(err) === 'WRONGTYPE') return null
      throw fromRedis(err, 'HGETALL')
    }
  }

  /** HMGET, `null` if the key is not a hash. */
  async hmget(key: string, fields: readonly string[]): Promise<(string | null)[] | null> {
    try {
      return (await this.#client.call('HMGET', key, ...fields)) as (string | null)[]
    } catch (err) {
      if (replyCode(err) === 'WRONGTYPE') return null
      throw fromRedis(err, 'HMGET')
    }
  }

  /** GET, `null` if there is no such key, `undefined` if the key is not a string. */
  async get(key: string): Promise<string | null | undefined> {
    try {
      return (await this.#client.call('GET', key)) as string | null
    } catch (err) {
      if (replyCode(err) === 'WRONGTYPE') return undefined
      throw fromRedis(err, 'GET')
    }
  }

  /** Runs by digest and falls back to the text: SCRIPT FLUSH, a restart or a failover stays invisible to callers. */
  async script(script: Script, key: string, args: readonly Arg[]): Promise<unknown> {
    try {
      const reply = await this.#client.evalsha(script.sha, 1, key, ...args)
      this.#onReply()
      return reply
    } catch (err) {
      if (replyCode(err) !== 'NOSCRIPT') throw fromRedis(err, `script ${script.name}`)
    }
    try {
      return await this.#client.eval(script.lua, 1, key, ...args)
    } catch (err) {
      throw fromRedis(err, `script ${script.name}`)
    }
  }
}

/** A client with ioredis 6's `replyMapping: 'resp3'` hands out maps as objects or Maps. */
function flatten(reply: unknown): string[] {
  if (Array.isArray(reply)) return reply as string[]
  const entries = reply instanceof Map ? [...reply.entries()] : Object.entries(reply as Record<string, string>)
  return entries.flat() as string[]
}
