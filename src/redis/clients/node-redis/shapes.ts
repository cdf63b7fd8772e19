/*
 * The parts of node-redis 5 and 6 (npm: redis) that the adapter uses. Its own types are not imported: nobody needs the
 * package who does not use it. What begins with `_` is not documented, but both versions have it.
 */

/** A client of one server: what `createClient` returns, and what the other kinds hold inside. */
export interface OneClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly options?: OneOptions | undefined
  /** Counts connections; missing before 5.1. */
  readonly socketEpoch?: number
  /** The client itself, where this object only stands for it with other command options. */
  readonly _self?: OneClient
  /** The commands that wait to be sent, and those that wait for a reply. */
  _getQueue?(): { flushWaitingForReply(err: Error): void }
  /** Replaces the connection by one that is ready, when the provider moves the server. */
  _insertSocket?(socket: unknown): void
  sendCommand(args: readonly string[], options?: object): Promise<unknown>
  subscribe(channel: string, listener: (message: never) => void, asBuffers?: boolean): Promise<unknown>
  duplicate(changed: object): OneClient
  connect(): Promise<unknown>
  destroy(): void
  unref(): void
  on(event: string, listener: (...args: never[]) => void): unknown
}

export interface OneOptions {
  readonly socket?: SocketOptions
  readonly commandsQueueMaxLength?: number
  readonly disableOfflineQueue?: boolean
  readonly pingInterval?: number
  readonly username?: string
  readonly password?: string
  readonly credentialsProvider?: unknown
}

export interface SocketOptions {
  /** The path of a Unix socket; missing for TCP. */
  readonly path?: string
  readonly host?: string
  readonly port?: number
  readonly connectTimeout?: number
  readonly socketTimeout?: number
  readonly reconnectStrategy?: unknown
}

/** A login that changes, for example with each token of Entra ID. */
export interface StreamingLogin {
  readonly type: 'streaming-credentials-provider'
  subscribe(listener: unknown): Promise<[credentials: unknown, subscription: { dispose(): void }]>
  onReAuthenticationError(err: unknown): void
}

export function isStreaming(login: unknown): login is StreamingLogin {
  return (login as { type?: unknown } | undefined)?.type === 'streaming-credentials-provider'
}

/** What `createSentinel` returns. */
export interface SentinelClient {
  readonly isOpen: boolean
  readonly isReady: boolean
  /** Returns undefined while no client of the master is connected. */
  getMasterNode(): object | undefined
  /** Passes the client of the master on, once there is one. */
  _execute<T>(isReadonly: boolean, work: (client: OneClient) => T): Promise<T>
}

/** Where to connect to a node: by its address, or as a function tells. */
type NodeAddressMap = Readonly<Record<string, SocketOptions>> | ((address: string) => SocketOptions | undefined)

/** A node of a Cluster. It stays the same object as long as the Cluster has a node at this address. */
export interface ClusterNode {
  /** `host:port`, as the Cluster announces it. */
  readonly address: string
  readonly host: string
  readonly port: number
  /** Missing while it is not connected (`minimizeConnections`). */
  readonly client?: OneClient | undefined
}

/** What `createCluster` returns. */
export interface ClusterClient {
  readonly isOpen: boolean
  readonly masters: readonly ClusterNode[]
  readonly replicas: readonly ClusterNode[]
  readonly slots: readonly ({ readonly master: ClusterNode } | undefined)[]
  readonly _options?: { readonly defaults?: OneOptions; readonly nodeAddressMap?: NodeAddressMap }
  readonly _slots?: { rediscover(startWith: OneClient | undefined): Promise<unknown> }
  sendCommand(key: string, isReadonly: boolean, args: readonly string[], options?: object): Promise<unknown>
  nodeClient(node: ClusterNode): Promise<OneClient>
}

export type AnyNodeRedis = OneClient | SentinelClient | ClusterClient

/** Looks at the methods, because the application may use another copy of node-redis. Version 4 has no `withTypeMapping`. */
export function isNodeRedis(value: object): value is AnyNodeRedis {
  const { sendCommand, withTypeMapping } = value as Record<string, unknown>
  if (typeof sendCommand !== 'function' || typeof withTypeMapping !== 'function' || !('isOpen' in value)) return false
  return isSentinel(value) || isCluster(value) || isOne(value)
}

export function isSentinel(value: object): value is SentinelClient {
  return 'getSentinelNode' in value && '_execute' in value
}

export function isCluster(value: object): value is ClusterClient {
  return 'nodeByAddress' in value && 'masters' in value
}

function isOne(value: object): boolean {
  return 'duplicate' in value && 'isReady' in value
}

/** What the client puts in front of keys, but not in front of those of `sendCommand`; version 5 knows no such option. */
export function keyPrefixOf(client: AnyNodeRedis): string {
  return String((client as { _keyPrefix?: string })._keyPrefix ?? '')
}
