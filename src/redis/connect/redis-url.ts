import type { ClusterNode } from 'ioredis'
import { sentinelOptions } from './request-path-options.js'

/** Options that every connection to a node of a Cluster needs. */
interface Credentials {
  username?: string
  password?: string
  tls?: object
}

export interface ParsedNode {
  address: { host: string; port: number }
  credentials: Credentials
}

type Parsed = Credentials & Record<string, unknown> & { host?: string; port?: number }

/**
 * Parses a URL as ioredis does, but strictly. ioredis takes anything it does not understand for a host name, and leaves
 * numbers after the `?` as text, which turns timeouts off.
 *
 * @throws TypeError
 */
export function parseUrl(text: string): Parsed {
  if (text.startsWith('/') && !text.startsWith('//')) return socketOf(text)
  const url = asUrl(text)
  if (url === undefined) throw new TypeError(`connectRedis cannot read the URL: it must be ${FORMS}`)
  const db = url.pathname.slice(1)
  if (!/^\d*$/.test(db))
    throw new TypeError('the path of a Redis URL must be the number of a database: redis://host:6379/0')
  return {
    ...queryOf(url.searchParams),
    host: url.hostname.replace(/^\[|\]$/g, '') || 'localhost',
    port: url.port === '' ? 6379 : Number(url.port),
    ...(db !== '' && { db: Number(db) }),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
  }
}

/** The path of a Unix socket, and its options: `/run/redis.sock?username=app&password=secret`. */
function socketOf(text: string): Parsed {
  const [path, query] = text.split('?', 2)
  return { ...queryOf(new URLSearchParams(query)), path }
}

function asUrl(text: string): URL | undefined {
  try {
    const url = new URL(text)
    return url.protocol === 'redis:' || url.protocol === 'rediss:' ? url : undefined
  } catch {
    return undefined
  }
}

/** Converts the options of the query, e.g. `?commandTimeout=500`, to their types. */
function queryOf(query: URLSearchParams): Record<string, unknown> {
  const kinds = sentinelOptions({}) as Record<string, unknown>
  return Object.fromEntries(
    [...query].map(([name, text]) => {
      if (typeof kinds[name] === 'boolean') return [name, text === 'true']
      if (name !== 'family' && name !== 'db' && typeof kinds[name] !== 'number') return [name, text]
      if (!/^\d+$/.test(text)) throw new TypeError(`"${name}" in the URL must be a number`)
      return [name, Number(text)]
    }),
  )
}

/** @throws TypeError that says which node is wrong */
export function parseNode(node: unknown, i: number): ParsedNode {
  if (typeof node === 'string') {
    const { host, port, username, password, tls, path, ...others } = parseUrl(node)
    if (path !== undefined) throw new TypeError(`node ${i + 1} of the Cluster must have a host: sockets know no others`)
    if (Object.keys(others).some((name) => name !== 'db' || others[name] !== 0)) {
      throw new TypeError(`node ${i + 1} of the Cluster: its URL can have no database and no options`)
    }
    return { address: { host: host as string, port: port as number }, credentials: given({ username, password, tls }) }
  }
  const { host, port, username, password, tls } = (node ?? {}) as Partial<Record<string, unknown>>
  const isAddress = typeof host === 'string' && host !== '' && (port === undefined || isPort(port))
  if (!isAddress) throw new TypeError(`node ${i + 1} of the Cluster must be a URL or { host, port }`)
  const address = { ...(node as ClusterNode & object), host, port: Number(port ?? 6379) }
  return { address, credentials: given({ username, password, tls }) }
}

function given(credentials: Record<string, unknown>): Credentials {
  return Object.fromEntries(Object.entries(credentials).filter(([, value]) => value !== undefined))
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536
}

const FORMS =
  'redis://host:6379, rediss://user:password@host:6379/0, or the path of a Unix socket, /run/redis.sock?username=user&password=password'
