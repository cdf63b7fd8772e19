import type { Redis } from 'ioredis'
import type { Arg, Link, Server } from '../../client.js'
import {
  asOneArgument,
  type Ioredis,
  isClosed,
  isClosedByCaller,
  keyPrefixOf,
  methodsOf,
  streamOf,
} from './internals.js'
import { IoredisLink } from './link.js'
import { sendRaw, sendsRaw } from './send-raw.js'

/** A client of ioredis, or one node of its Cluster. */
export class IoredisServer implements Server {
  readonly #client: Ioredis
  readonly #node: Redis

  constructor(client: Ioredis, node: Redis) {
    this.#client = client
    this.#node = node
  }

  get address(): string {
    const { path, host, port, sentinels } = this.#node.options ?? {}
    if (path != null) return path
    if (sentinels == null) return `${host}:${port}`
    const { remoteAddress, remotePort } = streamOf(this.#node) ?? {}
    return remoteAddress === undefined ? '' : `${remoteAddress}:${remotePort}`
  }

  get isReady(): boolean {
    return this.#node.status === 'ready'
  }

  get isClosed(): boolean {
    return isClosed(this.#node)
  }

  get isClosedByCaller(): boolean {
    return isClosedByCaller(this.#node)
  }

  get connection(): unknown {
    return streamOf(this.#node)
  }

  send(name: string, key: string, ...args: Arg[]): Promise<unknown> {
    const node = methodsOf(this.#node)
    return node[name]?.(this.#keyHere(key), ...args) as Promise<unknown>
  }

  hgetall(key: string): Promise<unknown> {
    return hgetall(this.#node, this.#keyHere(key))
  }

  evalsha(sha: string, key: string, args: readonly Arg[]): Promise<unknown> {
    return this.#node.evalsha(sha, 1, this.#keyHere(key), asOneArgument(args))
  }

  eval(lua: string, key: string, args: readonly Arg[]): Promise<unknown> {
    return this.#node.eval(lua, 1, this.#keyHere(key), asOneArgument(args))
  }

  ask(name: string, ...args: Arg[]): Promise<unknown> {
    return this.#node.call(name, ...args)
  }

  beside(): Link {
    return new IoredisLink(this.#client, this.#node)
  }

  /** Returns the key to pass to a node, which may not add the Cluster's `keyPrefix` by itself. */
  #keyHere(key: string): string {
    return (keyPrefixOf(this.#client) + key).slice((this.#node.options.keyPrefix ?? '').length)
  }
}

/**
 * Sends HGETALL. ioredis converts the reply of its method `hgetall` into an object, which would have to be converted
 * back into a list. It does not convert the reply to a command in capitals, but older versions then do not recognise
 * which arguments are keys.
 */
export function hgetall(client: Ioredis, key: string): Promise<unknown> {
  if (sendsRaw(client)) return sendRaw(client, 'HGETALL', [key])
  const needsKeys = client.isCluster || keyPrefixOf(client) !== ''
  return needsKeys ? client.hgetall(key) : client.call('HGETALL', key)
}
