import type { Cluster, Redis } from 'ioredis'

/*
 * Internals of ioredis that its types do not name. No other file uses them directly. ioredis 5, ioredis 6 and iovalkey
 * have all of them unless a comment says otherwise. If a version lacks one, only speed is lost.
 */

/** A client of ioredis or iovalkey. */
export type Ioredis = Redis | Cluster

/** The socket of a connection. */
export interface Stream {
  /** Missing for a Unix socket, and while the stream is not connected. */
  readonly remoteAddress?: string
  readonly remotePort?: number
  bytesRead: number
  cork(): void
  uncork(): void
  unref(): void
  destroy(err: Error): void
  once(event: 'data', listener: () => void): void
}

/** How a client handles commands. */
export interface CommandInternals {
  flushQueue?(err: Error, which?: { offlineQueue: boolean; commandQueue: boolean }): void
  sendCommand?(command: { name: string; promise: Promise<unknown> }, ...rest: unknown[]): unknown
}

/** How a connection detects that Redis has stopped answering. */
export interface TimeoutInternals {
  setSocketTimeout?(): void
  socketTimeoutTimer?: NodeJS.Timeout | undefined
  options: { socketTimeout?: number }
  stream: Pick<Stream, 'destroy' | 'once'>
  commandQueue: { length: number }
}

interface Internals extends CommandInternals, TimeoutInternals {
  manuallyClosing?: boolean
  /** Opens the socket, at every attempt to connect, and closes it; with Sentinels, the connections to them, too. */
  connector: { connect(emit: unknown): Promise<unknown>; disconnect?(): void }
  /** What the attempt to connect that has begun logs in with. */
  condition: { auth?: string | [username: string, password: string] }
  silentEmit(event: 'error', err: unknown): void
  /** The nodes of each slot according to ioredis, the master first: `host:port`. */
  slots: readonly (readonly string[] | undefined)[]
  /** Whether a Cluster is being asked for its nodes. */
  isRefreshing?: boolean
  /** The copy of the options with which ioredis 6 connects to the nodes of a Cluster. */
  connectionPool?: { redisOptions?: Cluster['options']['redisOptions'] }
}

export function internalsOf(client: Ioredis): Internals {
  return client as unknown as Internals
}

export function isCluster(client: Ioredis): client is Cluster {
  return client.isCluster
}

/** Whether `quit` or `disconnect` was called. */
export function isClosedByCaller(client: Ioredis): boolean {
  return internalsOf(client).manuallyClosing === true
}

/** Whether the client will not connect again by itself: the application has closed it, or it has given up. */
export function isClosed(client: Ioredis): boolean {
  return client.status === 'end' || isClosedByCaller(client)
}

/** Returns the socket of the latest connection, which may be closed; undefined before the first one. */
export function streamOf(node: Ioredis): Partial<Stream> | undefined {
  return (internalsOf(node).stream as Partial<Stream> | null | undefined) ?? undefined
}

/** Returns the options of a client; undefined if the client is a wrapper of the application without options. */
export function optionsOf(client: Ioredis): Readonly<Record<string, unknown>> | undefined {
  const options: unknown = client.options
  return typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : undefined
}

/**
 * ioredis puts `keyPrefix` in front of the keys of commands, but not of SCAN patterns, and SCAN returns keys with it.
 */
export function keyPrefixOf(client: Ioredis): string {
  const options = client.options as { keyPrefix?: string; redisOptions?: { keyPrefix?: string } }
  return options.keyPrefix || options.redisOptions?.keyPrefix || ''
}

/** Returns the methods of a client by the names of commands in lower case. They recognise which arguments are keys. */
export function methodsOf(client: Ioredis): Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>> {
  return client as never
}

/** Passes a list as one argument, which ioredis flattens. Spreading a very long list would overflow the stack. */
export function asOneArgument(args: readonly (string | number)[]): string {
  return args as unknown as string
}
