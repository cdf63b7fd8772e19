import type { Express } from 'express'
import supertest, { type Response } from 'supertest'

/** A browser without JavaScript: keeps cookies, and sends the token that the page before showed. */
export class Visitor {
  /** Headers in which it says what it is. */
  headers: Record<string, string> = { 'User-Agent': FIREFOX }
  /** The session cookie as the last answer set it, attributes and all. */
  cookie = ''
  readonly #app: Express
  readonly #jar = new Map<string, string>()

  constructor(app: Express, headers: Record<string, string> = {}) {
    this.#app = app
    Object.assign(this.headers, headers)
  }

  /** A second browser with the cookies of this one: a thief's. */
  copy(headers: Record<string, string> = {}): Visitor {
    const copy = new Visitor(this.#app, { ...this.headers, ...headers })
    for (const [name, value] of this.#jar) copy.#jar.set(name, value)
    copy.cookie = this.cookie
    return copy
  }

  async get(path: string): Promise<Response> {
    return this.#send(supertest(this.#app).get(path))
  }

  /** Posts a form of the page at `from`. */
  async submit(from: string, action: string, fields: Record<string, string> = {}): Promise<Response> {
    const page = await this.get(from)
    const token = /name="_csrf" value="([0-9a-f]+)"/.exec(page.text)?.[1]
    if (!token) throw new Error(`${from} shows no form with a token`)
    return this.post(action, { ...fields, _csrf: token })
  }

  async post(action: string, fields: Record<string, string>): Promise<Response> {
    return this.#send(supertest(this.#app).post(action).type('form').send(fields))
  }

  async signUp(name: string, email: string): Promise<Response> {
    return this.submit('/signup', '/signup', { name, email, password: 'correct horse' })
  }

  async logIn(email: string, password = 'correct horse', fields: Record<string, string> = {}): Promise<Response> {
    return this.submit('/login', '/login', { email, password, ...fields })
  }

  /** Types the password on the page that asks for it again, or wherever else `from` is. */
  async confirm(from: string, fields: Record<string, string> = {}): Promise<Response> {
    const to = new URL(from, 'http://shop').searchParams.get('to') ?? ''
    return this.submit(from, '/confirm', { to, password: 'correct horse', ...fields })
  }

  async addTea(slug: string): Promise<Response> {
    return this.submit(`/add/${slug}`, '/cart/add', { tea: slug })
  }

  /** The session id in the cookie, or undefined. */
  get sessionId(): string | undefined {
    return SESSION_COOKIE.exec(this.cookie)?.[1]
  }

  async #send(request: supertest.Test): Promise<Response> {
    const cookies = [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ')
    if (cookies !== '') request.set('Cookie', cookies)
    const response = await request.set(this.headers)
    for (const cookie of (response.headers['set-cookie'] ?? []) as unknown as string[]) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (cookie.includes('Expires=Thu, 01 Jan 1970')) this.#jar.delete(name)
      else this.#jar.set(name, value)
      if (SESSION_COOKIE.test(cookie)) this.cookie = cookie
    }
    return response
  }
}

export const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
export const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'

const SESSION_COOKIE = /^(?:__Host-)?sid=s%3A([^.]+)\./
