import type { Express } from 'express'
import supertest, { type Response } from 'supertest'

/** A browser without JavaScript: keeps cookies, and sends the token that the page before showed. */
export class Visitor {
  readonly #agent: ReturnType<typeof supertest.agent>
  #cookie = ''

  constructor(app: Express) {
    this.#agent = supertest.agent(app)
  }

  async get(path: string): Promise<Response> {
    return this.#keepCookie(await this.#agent.get(path))
  }

  /** Posts a form of the page at `from`. */
  async submit(from: string, action: string, fields: Record<string, string> = {}): Promise<Response> {
    const page = await this.get(from)
    const token = /name="_csrf" value="([0-9a-f]+)"/.exec(page.text)?.[1]
    if (!token) throw new Error(`${from} shows no form with a token`)
    return this.post(action, { ...fields, _csrf: token })
  }

  async post(action: string, fields: Record<string, string>): Promise<Response> {
    return this.#keepCookie(await this.#agent.post(action).type('form').send(fields))
  }

  async signUp(name: string, email: string): Promise<Response> {
    return this.submit('/signup', '/signup', { name, email, password: 'correct horse' })
  }

  async logIn(email: string, password = 'correct horse', fields: Record<string, string> = {}): Promise<Response> {
    return this.submit('/login', '/login', { email, password, ...fields })
  }

  async addTea(slug: string): Promise<Response> {
    return this.submit(`/add/${slug}`, '/cart/add', { tea: slug })
  }

  /** The session id in the cookie, or undefined. */
  get sessionId(): string | undefined {
    return /^shop\.sid=s%3A([^.]+)\./.exec(this.#cookie)?.[1]
  }

  /** The session cookie as the last answer set it. */
  get cookie(): string {
    return this.#cookie
  }

  #keepCookie(response: Response): Response {
    const cookies = (response.headers['set-cookie'] ?? []) as unknown as string[]
    this.#cookie = cookies.find((cookie) => cookie.startsWith('shop.sid=')) ?? this.#cookie
    return response
  }
}
