import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer, Agent as TlsAgent, request as tlsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { type SecureSessionOptions, secureSession } from 'connect-redis-hash'
import express from 'express'
import request from 'supertest'
import type { Gate } from '../support/gate.js'

/** biome-ignore lint/suspicious/noExplicitAny: three frameworks, one shape */
export type App = any

export const SECRET = 'k7Jt0Yw9uQm3RzXa5LdPc1VbNe8HsGfT'
/** Headers of a TLS proxy in front of the site. */
export const HTTPS = { 'X-Forwarded-Proto': 'https' }

export const user = (held: unknown) => (held as { userId?: string }).userId

/** Fills in what the options of a test leave out. */
export function options(given: object): SecureSessionOptions {
  return { secret: SECRET, user, ...given } as SecureSessionOptions
}

/** How a handler may answer: every answer has to carry the cookie. */
export const STYLES: Record<string, (res: App) => unknown> = {
  end: (res) => res.end('ok'),
  'a header of its own': (res) => res.setHeader('Cache-Control', 'public, max-age=60').end('ok'),
  'headers given to writeHead': (res) => res.writeHead(200, { 'Cache-Control': 'public, max-age=60' }).end('ok'),
  'a list of headers given to writeHead': (res) =>
    res.writeHead(200, ['Cache-Control', 'public, max-age=60']).end('ok'),
  'a streamed body': (res) => Readable.from(['o', 'k']).pipe(res.setHeader('Cache-Control', 'public')),
  'a redirect': (res) => res.writeHead(302, { Location: '/', 'Cache-Control': 'public' }).end(),
}

function routes(req: App, res: App, next: (err?: unknown) => void): unknown {
  const { pathname, searchParams } = new URL(req.url, 'http://x')
  const held = req.session
  const style = searchParams.get('style')
  searchParams.delete('style')
  for (const [name, value] of searchParams) held[name] = value
  switch (pathname) {
    case '/set':
      return (STYLES[style ?? 'end'] as (res: App) => unknown)(res)
    case '/show':
      return res.end(
        JSON.stringify({ user: held?.userId ?? null, cart: held?.cart ?? null, id: req.sessionID ?? null }),
      )
    case '/bound':
      return res.end(JSON.stringify(req.sessionBinding ?? null))
    case '/save':
      return held.save((err: unknown) => (err ? next(err) : res.end('saved')))
    case '/save-regardless':
      return held.save(() => res.end('saved, as far as I care'))
    case '/regenerate':
      return held.regenerate(() => {
        req.session.userId = 'ada'
        res.end('ok')
      })
    case '/form-refused':
      res.statusCode = 422
      return res.end('try again')
    case '/own-cookie':
      return res.writeHead(200, { 'Set-Cookie': 'theme=dark', 'Cache-Control': 'public' }).end('ok')
    case '/health':
      return res.end('ok')
  }
  return next()
}

/** Holds requests to /slow, after their session was loaded, until the test opens the gate. */
export function slowly(gate: Gate): App {
  return (req: App, _res: App, next: () => void) => {
    if (req.url !== '/slow') return next()
    req.url = '/show'
    gate.wait().then(next, next)
  }
}

/** A server, and what its error handler saw. */
export interface Site {
  server: Server
  errors: App[]
  close(): void
}

/** @param before middleware ahead of secureSession */
export async function site(given: object, { app = express(), trustProxy = 1 as unknown, before = [] as App[] } = {}) {
  return siteOf([...before, secureSession(options(given))], app, trustProxy)
}

export async function siteOf(middleware: App[], app: App = express(), trustProxy: unknown = 1): Promise<Site> {
  const errors: App[] = []
  if (typeof app.set === 'function') app.set('trust proxy', trustProxy)
  for (const one of middleware) app.use(one)
  app.use(routes)
  app.use((err: App, _req: App, res: App, _next: unknown) => {
    errors.push(err)
    res.statusCode = err.status ?? 500
    res.end(err.code ?? err.message)
  })
  // A failed test that never closed it should not keep the whole run alive.
  const server = createServer(app).listen(0).unref()
  return {
    server,
    errors,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** A browser with one cookie. */
export class Browser {
  cookie = ''
  readonly #site: Site
  readonly #headers: Record<string, string>

  constructor(site: Site, cookie = '', headers: Record<string, string> = HTTPS) {
    this.#site = site
    this.cookie = cookie
    this.#headers = headers
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<request.Response> {
    const sent = request(this.#site.server)
      .get(path)
      .set({ ...this.#headers, ...headers })
    if (this.cookie !== '') sent.set('Cookie', this.cookie)
    const response = await sent
    const [cookie] = setCookies(response)
    if (cookie !== undefined) this.cookie = cookie.split(';')[0] as string
    return response
  }

  async look(headers: Record<string, string> = {}): Promise<{ user: string | null; cart: string | null; id: string }> {
    return JSON.parse((await this.get('/show', headers)).text)
  }

  /** The signed value: `s:<id>.<signature>`. */
  get value(): string {
    return decodeURIComponent(this.cookie.slice(this.cookie.indexOf('=') + 1))
  }

  get sid(): string {
    return this.value.slice(2, this.value.lastIndexOf('.'))
  }
}

export function setCookies(response: request.Response): string[] {
  return (response.headers['set-cookie'] as unknown as string[] | undefined) ?? []
}

/** TLS with a key both sides know: no certificate has to be made for it. */
const PSK = { psk: Buffer.from('a key that both sides know'), identity: 'test' }

/** One request over TLS to `app`; resolves the Set-Cookie headers. */
export async function overTls(app: App, path: string): Promise<string[]> {
  const server = createTlsServer({ pskCallback: () => PSK.psk, ciphers: 'PSK', maxVersion: 'TLSv1.2' }, app)
  const agent = new TlsAgent({ keepAlive: false })
  try {
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const { port } = server.address() as { port: number }
    return await new Promise((resolve, reject) => {
      const to = { host: '127.0.0.1', port, path, agent, ciphers: 'PSK', maxVersion: 'TLSv1.2' as const }
      const client = { ...to, pskCallback: () => PSK, checkServerIdentity: () => undefined }
      tlsRequest(client, (res) => {
        res.resume()
        res.on('end', () => resolve(res.headers['set-cookie'] ?? []))
      })
        .on('error', reject)
        .end()
    })
  } finally {
    agent.destroy()
    server.closeAllConnections()
    server.close()
  }
}
