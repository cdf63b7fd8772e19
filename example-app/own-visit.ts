import { request } from 'node:http'
import type { Request } from 'express'

/** Headers by which the visit looks like one of the visitor. */
const COPIED = ['user-agent', 'host', 'sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform'] as const
const TIMEOUT_MS = 5000

export interface OwnVisit {
  status: number
  text: string
  /** Milliseconds until the answer was complete. */
  ms: number
}

/** Visits a page of this shop over HTTP, from the visitor's address and with their browser's headers, with these cookies. */
export function visitOwnShop(req: Request, path: string, cookies: string): Promise<OwnVisit> {
  const { localAddress: host, localPort: port } = req.socket
  const headers: Record<string, string> = {
    cookie: cookies,
    'sec-fetch-site': 'same-origin',
    // Without a proxy in front, the shop does not trust these, and the store would warn of them.
    ...(req.app.get('trust proxy') && { 'x-forwarded-for': req.ip ?? '', 'x-forwarded-proto': req.protocol }),
  }
  for (const name of COPIED) {
    const value = req.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  const begun = performance.now()
  return new Promise((resolve, reject) => {
    const visit = request({ host, port, path, headers, timeout: TIMEOUT_MS }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      res.on('error', reject)
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text, ms: performance.now() - begun }))
    })
    visit.on('timeout', () => visit.destroy(new Error('the shop has not answered itself')))
    visit.on('error', reject).end()
  })
}
