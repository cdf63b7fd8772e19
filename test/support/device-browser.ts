import type { Server } from 'node:http'
import request from 'supertest'
import { Device } from './device.js'

export const DEVICE_PATH = '/.well-known/device-session'

interface Bound {
  id: string
  refreshUrl: string
  cookie: string
}

/**
 * A browser that keeps to the draft of Device Bound Session Credentials, as far as a server sees it: it registers when
 * it is asked to, and refreshes before a request for which it has no bound cookie. It stands behind a TLS proxy.
 */
export class DeviceBrowser {
  readonly device = new Device()
  readonly jar = new Map<string, string>()
  bound: Bound | undefined
  /** The challenge of the last offer to register. */
  offered: string | undefined
  readonly #server: Server
  readonly #headers: Record<string, string>

  constructor(server: Server, headers: Record<string, string> = {}) {
    this.#server = server
    this.#headers = { 'X-Forwarded-Proto': 'https', ...headers }
  }

  /** A request of the page. */
  async get(path: string, headers: Record<string, string> = {}): Promise<request.Response> {
    if (this.bound !== undefined && !this.jar.has(this.bound.cookie)) await this.refresh()
    return this.send('get', path, headers)
  }

  /** A request with what is in the jar, and no more. */
  async send(method: 'get' | 'post', path: string, headers: Record<string, string> = {}): Promise<request.Response> {
    const sent = request(this.#server)
      [method](path)
      .set({ ...this.#headers, ...headers })
    if (this.jar.size > 0) sent.set('Cookie', [...this.jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const response = await sent
    for (const line of setCookiesOf(response)) this.#keep(line)
    const registration = response.headers['secure-session-registration'] as string | undefined
    if (registration !== undefined) this.offered = /challenge="([^"]*)"/.exec(registration)?.[1]
    return response
  }

  /** Logs in and registers. */
  async logIn(path = '/login?userId=ada'): Promise<void> {
    await this.send('get', path)
    const response = await this.register()
    if (response.status !== 200) throw new Error(`no registration: ${response.status}`)
  }

  async register(proof = this.device.registration(this.offered ?? '')): Promise<request.Response> {
    const response = await this.send('post', DEVICE_PATH, { 'Secure-Session-Response': proof })
    if (response.status === 200 && response.body.continue !== false) this.#bindTo(response)
    return response
  }

  /** Both steps of a refresh; `sign` makes the proof. */
  async refresh(sign = (challenge: string) => this.device.proof(challenge)): Promise<request.Response> {
    const asked = await this.ask()
    const challenge = challengeIn(asked)
    return challenge === undefined ? asked : this.answer(sign(challenge))
  }

  /** The first step: asks for a challenge. */
  async ask(id = this.bound?.id ?? ''): Promise<request.Response> {
    return this.#after(await this.send('post', DEVICE_PATH, { 'Sec-Secure-Session-Id': `"${id}"` }))
  }

  /** The second step. */
  async answer(proof: string, id = this.bound?.id ?? ''): Promise<request.Response> {
    const headers = { 'Sec-Secure-Session-Id': `"${id}"`, 'Secure-Session-Response': `"${proof}"` }
    return this.#after(await this.send('post', DEVICE_PATH, headers))
  }

  /** What malware takes along: the whole jar, but no key. */
  stolen(names = [...this.jar.keys()]): DeviceBrowser {
    const thief = new DeviceBrowser(this.#server, this.#headers)
    for (const name of names) thief.jar.set(name, this.jar.get(name) ?? '')
    return thief
  }

  #after(response: request.Response): request.Response {
    const isEnded = response.body.continue === false || (response.status >= 400 && response.status < 500)
    if (isEnded && response.status !== 403) this.bound = undefined
    if (response.status === 200 && response.body.session_identifier) this.#bindTo(response)
    return response
  }

  #bindTo({ body }: request.Response): void {
    const [{ name }] = body.credentials
    this.bound = { id: body.session_identifier, refreshUrl: body.refresh_url, cookie: name }
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ')
    const at = pair.indexOf('=')
    const isOver = attributes.includes('Max-Age=0') || /Expires=Thu, 01 Jan 1970/.test(line)
    if (isOver) this.jar.delete(pair.slice(0, at))
    else this.jar.set(pair.slice(0, at), pair.slice(at + 1))
  }
}

export function setCookiesOf(response: request.Response): string[] {
  return (response.headers['set-cookie'] as unknown as string[] | undefined) ?? []
}

export function challengeIn(response: request.Response): string | undefined {
  return /^"([^"]*)";id="/.exec((response.headers['secure-session-challenge'] as string | undefined) ?? '')?.[1]
}
