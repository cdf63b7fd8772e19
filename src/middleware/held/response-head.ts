import type { ServerResponse } from 'node:http'

/** Status and headers of a response as they were at one moment. */
export interface ResponseHead {
  statusCode: number
  /** Undefined for HTTP/2, which has none; Node prints a warning when it is read there. */
  statusMessage: string | undefined
  headers: readonly [name: string, value: number | string | readonly string[]][]
}

export function headOf(res: ServerResponse): ResponseHead {
  // Keeps the spelling in which they were set. HTTP/2 has lower case only.
  const names = (res as Partial<RawNames>).getRawHeaderNames?.() ?? res.getHeaderNames()
  return {
    statusCode: res.statusCode,
    statusMessage: isHttp2(res) ? undefined : res.statusMessage,
    headers: names.map((name) => [name, res.getHeader(name) ?? '']),
  }
}

export function restoreHead(res: ServerResponse, head: ResponseHead): void {
  restoreStatus(res, head)
  for (const name of res.getHeaderNames()) res.removeHeader(name)
  for (const [name, value] of head.headers) res.setHeader(name, value)
}

export function restoreStatus(res: ServerResponse, { statusCode, statusMessage }: ResponseHead): void {
  res.statusCode = statusCode
  if (statusMessage !== undefined || !isHttp2(res)) res.statusMessage = statusMessage as string
}

export function isHttp2(res: ServerResponse): boolean {
  return typeof (res as { createPushResponse?: unknown }).createPushResponse === 'function'
}

/** Closes the connection after this response. HTTP/2 ends streams instead of connections, so it needs nothing. */
export function closeAfterwards(res: ServerResponse): void {
  if (!isHttp2(res)) res.setHeader('Connection', 'close')
}

/** Whether the client has disconnected, or has received the whole response. */
export function isClosed(res: ServerResponse): boolean {
  const { closed, stream } = res as { closed?: boolean; stream?: { destroyed: boolean } }
  return closed ?? stream?.destroyed ?? false
}

/** Node has this method; its types for ServerResponse lack it. */
interface RawNames {
  getRawHeaderNames(): string[]
}
