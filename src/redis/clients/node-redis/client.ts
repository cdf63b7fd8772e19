import type { Arg, Client, Server } from '../../client.js'
import { takeOut } from '../take-out.js'
import { ClusterRoute } from './cluster.js'
import { OneRoute } from './one.js'
import type { Route } from './route.js'
import { texts } from './send.js'
import { SentinelRoute } from './sentinel.js'
import { type AnyNodeRedis, isCluster, isSentinel, keyPrefixOf, type OneClient } from './shapes.js'

/** A client of node-redis 5 or 6. It sends the commands of one turn of the event loop together by itself. */
export class NodeRedisClient implements Client {
  readonly isCluster: boolean
  readonly harmlessSettings = 'docs/clients.md of connect-redis-hash has settings for web requests'
  readonly keyPrefix: string
  readonly commandTimeoutMs = Number.POSITIVE_INFINITY
  /** It never sends again what was under way when a connection was lost. */
  readonly losses = 0
  readonly #route: Route

  /** @param patienceMs for how long a command waits for a connection */
  constructor(client: AnyNodeRedis, patienceMs: number) {
    this.keyPrefix = keyPrefixOf(client)
    this.#route = routeOf(client, this.keyPrefix, patienceMs)
    this.isCluster = this.#route.isCluster
  }

  get isReady(): boolean {
    return this.#route.isReady
  }

  get isClosed(): boolean {
    return this.#route.isClosed
  }

  get keepsOrder(): boolean {
    return !this.isCluster
  }

  get harmfulSettings(): readonly string[] {
    return this.#route.harmfulSettings
  }

  hold(): void {}

  send(name: string, key: string, ...args: Arg[]): Promise<unknown> {
    const prefixed = this.keyPrefix + key
    return this.#route.send(texts([name, prefixed], args), prefixed)
  }

  hgetall(key: string): Promise<unknown> {
    const prefixed = this.keyPrefix + key
    return this.#route.send(['HGETALL', prefixed], prefixed)
  }

  evalsha(sha: string, key: string, args: readonly Arg[]): Promise<unknown> {
    const prefixed = this.keyPrefix + key
    return this.#route.send(texts(['evalsha', sha, '1', prefixed], args), prefixed)
  }

  eval(lua: string, key: string, args: readonly Arg[]): Promise<unknown> {
    const prefixed = this.keyPrefix + key
    return this.#route.send(texts(['eval', lua, '1', prefixed], args), prefixed)
  }

  ping(): Promise<unknown> {
    return this.#route.sendAnywhere(['ping'])
  }

  memoryUsage(key: string): Promise<unknown> {
    const prefixed = this.keyPrefix + key
    return this.#route.send(['memory', 'USAGE', prefixed], prefixed)
  }

  publish(channel: string, message: string, key: string): Promise<unknown> {
    return this.#route.sendAnywhere(['publish', channel, message], this.keyPrefix + key)
  }

  fieldsIn(reply: unknown): string[] | undefined {
    return Array.isArray(reply) ? takeOut(reply) : undefined
  }

  elementsIn<T>(reply: T[]): T[] {
    return takeOut(reply)
  }

  masters(): readonly Server[] {
    return this.#route.masters()
  }

  servers(): readonly Server[] {
    return this.#route.servers()
  }

  ownerOf(slot: number): string | undefined {
    return this.#route.ownerOf(slot)
  }

  owners(): ReadonlySet<string> {
    return this.#route.owners()
  }

  refresh(): Promise<void> {
    return this.#route.refresh()
  }
}

function routeOf(client: AnyNodeRedis, keyPrefix: string, patienceMs: number): Route {
  if (isSentinel(client)) return new SentinelRoute(client, keyPrefix, patienceMs)
  if (isCluster(client)) return new ClusterRoute(client, keyPrefix, patienceMs)
  return new OneRoute(client as OneClient, keyPrefix, patienceMs)
}
