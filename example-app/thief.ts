import { request } from 'node:http'
import type { Request } from 'express'

/** What a copy of all cookies of a visitor was worth, when it was made and when it was last tried. */
export interface Theft {
  at: number
  cookies: string
  before: string
  after: string | undefined
}

/** Headers by which the thief looks like the visitor: malware on a computer has them all. */
const COPIED = ['user-agent', 'host', 'sec-ch-ua', 'sec-ch-ua-mobile', 'sec-ch-ua-platform'] as const

/**
 * Visits the shop with these cookies, from the visitor's address and with their browser's headers, but without what only
 * their device has.
 *
 * @returns whom the shop takes the thief for
 */
export function visitAsThief(req: Request, cookies: string): Promise<string> {
  const { localAddress: host, localPort: port } = req.socket
  const headers: Record<string, string> = {
    cookie: cookies,
    'x-forwarded-for': req.ip ?? '',
    'x-forwarded-proto': req.protocol,
    'sec-fetch-site': 'same-origin',
  }
  for (const name of COPIED) {
    const value = req.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  return new Promise((resolve, reject) => {
    const visit = request({ host, port, path: '/whoami', headers, timeout: 5000 }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      res.on('end', () => resolve(res.statusCode === 200 ? text : 'nobody'))
    })
    visit.on('timeout', () => visit.destroy(new Error('the shop has not answered its thief')))
    visit.on('error', reject).end()
  })
}
