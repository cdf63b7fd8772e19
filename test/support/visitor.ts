import type { RequestListener, Server } from 'node:http'
import request from 'supertest'

/** A browser with one session cookie. Requests may overlap; a cookie is taken from every response that sets one. */
export class Visitor {
  cookie = ''
  userAgent: string | undefined
  readonly #app: RequestListener | Server

  constructor(app: RequestListener | Server, cookie = '') {
    this.#app = app
    this.cookie = cookie
  }

  async get(path: string): Promise<request.Response> {
    const sent = request(this.#app as never).get(path)
    if (this.cookie !== '') sent.set('Cookie', this.cookie)
    if (this.userAgent !== undefined) sent.set('User-Agent', this.userAgent)
    const response = await sent
    const setCookie = (response.headers['set-cookie'] as unknown as string[] | undefined)?.[0]
    if (setCookie !== undefined) this.cookie = setCookie.split(';')[0] as string
    return response
  }

  /** The session id inside the signed cookie. */
  get sid(): string {
    const value = decodeURIComponent(this.cookie.split('=')[1] ?? '')
    return value.slice(2, value.lastIndexOf('.'))
  }
}
