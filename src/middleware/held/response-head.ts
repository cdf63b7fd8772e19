import type { ServerResponse } from 'node:http'

/** Status and headers of a response as they were at one moment. */
export interface ResponseHead {
  statusCode: number
  /** Undefined for HTTP/2, which has none; Node warns whoever asks. */
  statusMessage: string | undefined
  headers: readonly [name: string, value: number | string | readonly string[]][]
}

export function headOf(res: ServerResponse): ResponseHead {
  // In the spelling of whoever set them; HTTP/2 knows lower case only.
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

/** HTTP/2 ends streams, not connections. */
export function closeAfterwards(res: ServerResponse): void {
  if (!isHttp2(res)) res.setHeader('Connection', 'close')
}

/** Whether nobody is there any more to read the response, or all of it is out. */
export function isClosed(res: ServerResponse): boolean {
  const { closed, stream } = res as { closed?: boolean; stream?: { destroyed: boolean } }
  return closed ?? stream?.destroyed ?? false
}

/** Node has it; its types for ServerResponse do not. */
interface RawNames {
  getRawHeaderNames(): string[]
}
