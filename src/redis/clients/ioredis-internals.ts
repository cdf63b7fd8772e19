import type { Cluster, Redis } from 'ioredis'

/*
 * What ioredis has and its types do not name: the only file that knows. ioredis 5, ioredis 6 and iovalkey have all of it unless a
 * comment says otherwise; where a version lacks something, only speed is lost.
 */

/** The socket of a connection. */
export interface Stream {
  bytesRead: number
  cork(): void
  uncork(): void
  unref(): void
  destroy(err: Error): void
  once(event: 'data', listener: () => void): void
}

/** What a client does with commands. */
export interface CommandInternals {
  flushQueue?(err: Error, which?: { offlineQueue: boolean; commandQueue: boolean }): void
  sendCommand?(command: { name: string; promise: Promise<unknown> }, ...rest: unknown[]): unknown
}

/** How a connection notices that Redis has stopped answering. */
export interface TimeoutInternals {
  setSocketTimeout?(): void
  socketTimeoutTimer?: NodeJS.Timeout | undefined
  options: { socketTimeout?: number }
  stream: Pick<Stream, 'destroy' | 'once'>
  commandQueue: { length: number }
}

interface Internals extends CommandInternals, TimeoutInternals {
  manuallyClosing?: boolean
  /** Owners of each slot as ioredis knows them, the master first: `host:port`. */
  slots: readonly (readonly string[] | undefined)[]
  /** ioredis 6 connects the nodes of a Cluster with a copy of the options. */
  connectionPool?: { redisOptions?: Cluster['options']['redisOptions'] }
}

export function internalsOf(client: Redis | Cluster): Internals {
  return client as unknown as Internals
}

/** A connection has another stream after each reconnect. Undefined while there is none. */
export function streamOf(node: Redis | Cluster): Partial<Stream> | undefined {
  return (internalsOf(node).stream as Partial<Stream> | null | undefined) ?? undefined
}

/** The options of a client, whatever they are; undefined for something of the caller's own around a client. */
export function optionsOf(client: Redis | Cluster): Readonly<Record<string, unknown>> | undefined {
  const options: unknown = client.options
  return typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : undefined
}

/** A list of arguments as one argument, which ioredis flattens: spread, a very long list would overflow the stack. */
export function asOneArgument(args: readonly (string | number)[]): string {
  return args as unknown as string
}
