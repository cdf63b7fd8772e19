import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:http2'
import { buffer } from 'node:stream/consumers'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'

export interface Reply {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** One connection that stays open: a byte too many or too few shows in the next reply. */
export interface Connection {
  fetch(path: string, method?: string): Promise<Reply>
  close(): void
}

const headers = { 'accept-encoding': 'gzip, br' }

export function overHttp1(port: number): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    fetch: (path, method = 'GET') =>
      new Promise((resolve, reject) => {
        const sent = request({ port, host: '127.0.0.1', path, method, agent, headers }, (res: IncomingMessage) => {
          buffer(res).then((body) => resolve(decoded(res.statusCode ?? 0, res.headers, body)), reject)
        })
        sent
          .on('error', reject)
          .setTimeout(8000, () => sent.destroy(new Error('no answer')))
          .end()
      }),
    close: () => agent.destroy(),
  }
}

export function overHttp2(port: number): Connection {
  const session = connect(`http://127.0.0.1:${port}`)
  return {
    fetch: (path, method = 'GET') =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': path, ':method': method, ...headers })
        stream.on('error', reject).setTimeout(8000, () => stream.destroy(new Error('no answer')))
        stream.on('response', (head) => {
          buffer(stream).then((body) => resolve(decoded(head[':status'] ?? 0, head, body)), reject)
        })
        stream.end()
      }),
    close: () => session.close(),
  }
}

function decoded(status: number, headers: object, body: Buffer): Reply {
  const encoding = (headers as Reply['headers'])['content-encoding']
  const plain =
    body.length === 0
      ? body
      : encoding === 'gzip'
        ? gunzipSync(body)
        : encoding === 'br'
          ? brotliDecompressSync(body)
          : body
  return { status, headers: headers as Reply['headers'], body: plain.toString() }
}
