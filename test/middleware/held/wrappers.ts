import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzip } from 'node:zlib'
import compression from 'compression'
import compressionOld from 'compression1.7'
import helmet from 'helmet'
import morgan from 'morgan'
import onHeaders from 'on-headers'
import responseTime from 'response-time'

export type Wrapper = (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void

/** Packages that wrap the methods of a response, or listen to it. */
export const WRAPPERS: Record<string, () => Wrapper> = {
  nothing: () => (_req, _res, next) => next(),
  compression: () => compression({ threshold: 0 }) as unknown as Wrapper,
  'compression 1.7': () => compressionOld({ threshold: 0 }) as unknown as Wrapper,
  'response-time': () => responseTime() as unknown as Wrapper,
  morgan: () => morgan('tiny', { stream: { write: () => undefined } }) as unknown as Wrapper,
  'on-headers': () => (_req, res, next) => {
    onHeaders(res, () => res.setHeader('X-Late', '1'))
    next()
  },
  helmet: () => helmet() as unknown as Wrapper,
  'one that gathers the body and compresses it later': () => gathered,
}

/**
 * shrink-ray and page caches do this: they put everything off until the end, and send it through the methods they
 * found.
 */
const gathered: Wrapper = (_req, res, next) => {
  const chunks: Buffer[] = []
  const end = res.end.bind(res) as (body?: Buffer) => ServerResponse
  const add = (chunk: unknown) => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk as string))
  }
  Object.assign(res, {
    flushHeaders: () => undefined,
    write(chunk: unknown) {
      add(chunk)
      return true
    },
    end(chunk: unknown) {
      add(chunk)
      const body = Buffer.concat(chunks)
      gzip(body, (_err, compressed) => {
        if (body.length === 0 || res.headersSent) return end(body)
        res.removeHeader('Content-Length')
        res.setHeader('Content-Encoding', 'gzip')
        return end(compressed)
      })
      return res
    },
  })
  next()
}
