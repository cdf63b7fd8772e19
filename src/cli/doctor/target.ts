import { CommandError } from '../io.js'

/** The address of a Redis without user and password, so that it may be printed. */
export interface Target {
  /** `host:port`, or the path of a Unix socket. */
  address: string
  host: string
  isTls: boolean
  /** Whether the server is on this machine. */
  isLocal: boolean
  hasUser: boolean
  hasPassword: boolean
  database: number
}

const FORM = 'redis://[user:password@]host[:port][/database], rediss:// for TLS, or the path of a Unix socket'

/** @throws CommandError that does not repeat the URL: it may hold a password */
export function parseTarget(text: string): Target {
  if (text.startsWith('/')) return socketTarget(text)
  if (/^[a-z][\w+.-]*:\/\//i.test(text) && !/^rediss?:\/\//i.test(text)) throw wrongUrl()
  let url: URL
  try {
    url = new URL(/^rediss?:\/\//i.test(text) ? text : `redis://${text}`)
  } catch {
    throw wrongUrl()
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (host === '') throw wrongUrl()
  const database = url.searchParams.get('db') ?? url.pathname.slice(1)
  if (!/^\d*$/.test(database)) throw wrongUrl()
  return {
    address: `${url.hostname}:${url.port || '6379'}`,
    host,
    isTls: url.protocol === 'rediss:' || ['true', '1'].includes(url.searchParams.get('tls') ?? ''),
    isLocal: isLoopback(host),
    hasUser: url.username !== '' || url.searchParams.has('username'),
    hasPassword: url.password !== '' || url.searchParams.has('password'),
    database: Number(database),
  }
}

function socketTarget(text: string): Target {
  const [path = '', query = ''] = text.split('?', 2)
  const options = new URLSearchParams(query)
  return {
    address: path,
    host: path,
    isTls: false,
    isLocal: true,
    hasUser: options.has('username'),
    hasPassword: options.has('password'),
    database: Number(options.get('db') ?? 0),
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function wrongUrl(): CommandError {
  return new CommandError(`That is no Redis URL. It looks like this: ${FORM}.`)
}

/** Returns the URL without user and password. */
export function withoutLogin(text: string): string {
  if (text.startsWith('/')) return text.split('?', 1)[0] as string
  const url = new URL(/^rediss?:\/\//i.test(text) ? text : `redis://${text}`)
  url.username = ''
  url.password = ''
  for (const name of ['username', 'password', 'db']) url.searchParams.delete(name)
  url.pathname = ''
  return url.href
}
