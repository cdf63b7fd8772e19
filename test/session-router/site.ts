import { createServer, type Server, type ServerResponse } from 'node:http'
import connect from 'connect'
import { bindClient, type Middleware, type RedisStore, rotateOnLogin, sessionRouter } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import express4 from 'express4'
import request, { type Response } from 'supertest'

export type Options = Omit<Parameters<typeof sessionRouter>[0], 'store'>

interface SiteOptions extends Options {
  /** Makes the application. Default: Express 5. */
  framework?: () => unknown
  /** Middleware before the router, behind the session. */
  before?: Middleware[]
  /** Is told of errors that come after the response. */
  failed?: (err: unknown) => void
  label?: boolean
  /** Option of bindClient. Default: bindClient's own. */
  userAgent?: false
}

export const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4, Connect: connect } as const
export const MOUNT = '/account/sessions'

/** The only property besides the user; no answer may show it. */
export const DATA = 'lapsang-souchong'

/** A server with a login at `/login/<user>`, `/whoami`, `/set/<taste>`, and the router; errors are answered as `<status> <message>`. */
export function site(
  store: RedisStore,
  { framework = express, before = [], failed, label = true, userAgent, ...options }: SiteOptions = {},
): Server {
  const app = framework() as ReturnType<typeof connect>
  const use = (middleware: unknown) => app.use(middleware as connect.NextHandleFunction)
  use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  use(bindClient({ secret: 'b', label, ...(userAgent === false && { userAgent }) }))
  use(rotateOnLogin())
  app.use('/login', ((req: Held, res: ServerResponse, next: (err?: unknown) => void) => {
    Object.assign(req.session, { userId: req.url?.slice(1), data: DATA })
    req.session.save((err) => (err ? next(err) : res.end()))
  }) as never)
  app.use('/set', ((req: Held, res: ServerResponse) => {
    Object.assign(req.session, { taste: req.url })
    res.end()
  }) as never)
  app.use('/whoami', ((req: Held, res: ServerResponse) => res.end(req.session?.userId ?? 'nobody')) as never)
  for (const middleware of before) use(middleware)
  app.use(MOUNT, sessionRouter({ store, ...options }) as connect.NextHandleFunction)
  use((_req: unknown, res: ServerResponse) => {
    res.statusCode = 404
    res.end('no such page')
  })
  use((err: Error & { status?: number }, _req: unknown, res: ServerResponse, _next: unknown) => {
    if (res.headersSent) return failed?.(err)
    res.statusCode = err.status ?? 500
    res.end(`${res.statusCode} ${err.message}`)
  })
  return createServer(app as never)
    .listen(0)
    .unref()
}

type Held = connect.IncomingMessage & { session: session.Session & { userId?: string } }

interface Post {
  type?: string
  body?: string
  headers?: Record<string, string>
  /** Whether the body is sent without saying how long it is. */
  chunked?: boolean | undefined
}

/** A browser on a site; its posts come from a page of that site unless headers say otherwise. */
export class Browser {
  readonly #server: Server
  readonly answers: Response[] = []
  #cookie = ''
  readonly #agent: string

  constructor(server: Server, agent = FIREFOX) {
    this.#server = server
    this.#agent = agent
  }

  /** Makes a visitor with the same cookie, at another server of the site or with another User-Agent. */
  on(server: Server, agent = this.#agent): Browser {
    const same = new Browser(server, agent)
    same.#cookie = this.#cookie
    return same
  }

  async logIn(user = 'ada'): Promise<this> {
    await this.get(`/login/${user}`)
    return this
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.#send(request(this.#server).get(path), headers)
  }

  post(path: string, { type = FORM, body = '', headers = SAME_ORIGIN, chunked = false }: Post = {}) {
    const sent = request(this.#server).post(path).type(type)
    return this.#send(sent, headers, () => {
      if (chunked) sent.write(body)
      else sent.serialize(String).send(body)
    })
  }

  /** Ends a session as the form on the page does. */
  end(handle: string, post: Post = {}): Promise<Response> {
    return this.post(`${MOUNT}/end`, { body: new URLSearchParams({ handle }).toString(), ...post })
  }

  async list(): Promise<Listed[]> {
    return (await this.get(MOUNT, JSON_ONLY)).body.sessions
  }

  /** The public name of its own session. */
  async handle(): Promise<string> {
    return (await this.list()).find(({ current }) => current)?.handle as string
  }

  async user(): Promise<string> {
    return (await this.get('/whoami')).text
  }

  get sid(): string {
    const value = decodeURIComponent(this.#cookie.split('=')[1] ?? '')
    return value.slice(2, value.lastIndexOf('.'))
  }

  async #send(sent: request.Test, headers: Record<string, string>, fill = () => {}): Promise<Response> {
    if (this.#cookie !== '') sent.set('Cookie', this.#cookie)
    sent.set({ 'User-Agent': this.#agent, ...headers })
    fill()
    const response = await sent
    const [cookie] = (response.headers['set-cookie'] ?? []) as unknown as string[]
    if (cookie !== undefined) this.#cookie = cookie.split(';')[0] as string
    this.answers.push(response)
    return response
  }
}

export interface Listed {
  handle: string
  createdAt: string
  seenAt: string
  current: boolean
  client?: string
}

const FORM = 'application/x-www-form-urlencoded'
export const SAME_ORIGIN = { 'Sec-Fetch-Site': 'same-origin' }
export const JSON_ONLY = { Accept: 'application/json' }
export const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
export const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'
