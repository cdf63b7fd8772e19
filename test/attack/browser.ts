import type { Server } from 'node:http'
import request from 'supertest'
import type { Account, Transfer } from './site.js'

/** Where a request comes from, and what it says it is. */
export interface Client {
  address: string
  userAgent: string
}

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36'

/** The victim. */
export const HOME: Client = { address: '203.0.113.7', userAgent: FIREFOX }
/** Another visitor in the same network, with the same kind of browser: no binding tells them from the victim. */
export const NEIGHBOUR: Client = { address: '203.0.113.99', userAgent: FIREFOX }
export const OTHER_BROWSER: Client = { address: '203.0.113.99', userAgent: CHROME }
export const ABROAD: Client = { address: '198.51.100.20', userAgent: CHROME }

export interface Visit {
  /** The site's TLS proxy is in between, unless somebody made the browser use plain HTTP. */
  isPlainHttp?: boolean
  /** A form on another site sends it. */
  isCrossSite?: boolean
  /** The value that the client itself puts into X-Forwarded-For; the proxy appends the true address. */
  forwardedFor?: string
  /** Sent instead of the cookies in the jar. */
  cookie?: string
  body?: object
  headers?: Record<string, string>
}

interface Cookie {
  value: string
  isSecure: boolean
  sameSite: string
}

type Place = { server: Server; accounts: Record<string, Account>; transfers: Transfer[] }

/** A client with a cookie jar that keeps to RFC 6265bis: Secure, SameSite, and what `__Host-` asks for. */
export class Browser {
  readonly jar = new Map<string, Cookie>()
  readonly #place: Place
  readonly #client: Client
  /** The site, or a shared cache in front of it. */
  readonly #server: Server

  constructor(place: Place, client: Client, server = place.server) {
    this.#place = place
    this.#client = client
    this.#server = server
  }

  get(path: string, visit: Visit = {}): Promise<request.Response> {
    return this.#send('get', path, visit)
  }

  post(path: string, visit: Visit = {}): Promise<request.Response> {
    return this.#send('post', path, visit)
  }

  async #send(method: 'get' | 'post', path: string, visit: Visit): Promise<request.Response> {
    const { address, userAgent } = this.#client
    const forwardedFor = [visit.forwardedFor, address].filter(Boolean).join(', ')
    const sent = request(this.#server)
      [method](path)
      .set({
        'User-Agent': userAgent,
        'X-Forwarded-For': forwardedFor,
        'X-Forwarded-Proto': visit.isPlainHttp ? 'http' : 'https',
        ...visit.headers,
      })
    const cookie = visit.cookie ?? this.cookiesFor(visit)
    if (cookie !== '') sent.set('Cookie', cookie)
    const response = visit.body === undefined ? await sent : await sent.send(visit.body)
    const setCookies = (response.headers['set-cookie'] as unknown as string[] | undefined) ?? []
    for (const header of setCookies) this.keep(header, visit.isPlainHttp)
    return response
  }

  /** The Cookie header, which everybody on the way can read where the request is not encrypted. */
  cookiesFor({ isPlainHttp = false, isCrossSite = false }: Visit = {}): string {
    return [...this.jar]
      .filter(([, { isSecure, sameSite }]) => !(isPlainHttp && isSecure) && !(isCrossSite && sameSite !== ''))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ')
  }

  /** Keeps a cookie that the site has set, or a subdomain of it. */
  keep(header: string, isPlainHttp = false): void {
    const [pair = '', ...attributes] = header.split('; ')
    const at = pair.indexOf('=')
    const has = (name: string) => attributes.find((one) => one.toLowerCase().split('=')[0] === name)
    const isSecure = has('secure') !== undefined
    if (isSecure && isPlainHttp) return
    if (pair.startsWith('__Host-') && (!isSecure || has('domain') || has('path') !== 'Path=/')) return
    this.jar.set(pair.slice(0, at), {
      value: pair.slice(at + 1),
      isSecure,
      sameSite: has('samesite')?.split('=')[1] ?? '',
    })
  }

  /** Anyone who sits at the other browser, or has read its traffic, has its cookies. */
  copyFrom(other: Browser): this {
    for (const [name, cookie] of other.jar) this.jar.set(name, { ...cookie })
    return this
  }

  /** Whether the profile page shows this account's secret. */
  async seesSecretOf({ secret }: Account, visit?: Visit): Promise<boolean> {
    return (await this.get('/profile', visit)).text.includes(secret)
  }

  /** Whether money of this account has really gone. */
  async transfersFrom({ name }: Account, to: string, visit?: Visit): Promise<boolean> {
    const isIt = (one: Transfer) => one.from === name && one.to === to
    const before = this.#place.transfers.filter(isIt).length
    await this.post(`/transfer?to=${to}`, visit)
    return this.#place.transfers.filter(isIt).length > before
  }

  /** Logs in, and makes sure that it worked: a site that serves nobody would withstand every attack. */
  async logIn(account: Account, visit: Visit = {}): Promise<void> {
    const { name, password } = account
    const response = await this.post('/login', { ...visit, body: { name, password, ...visit.body } })
    mustBe(response.status === 303, `${name} cannot log in: ${response.status} ${response.text}`)
    await this.mustSeeSecretOf(account)
  }

  async mustSeeSecretOf(account: Account): Promise<void> {
    mustBe(await this.seesSecretOf(account), `${account.name} does not see the profile page`)
  }

  async logOut(path = '/logout'): Promise<void> {
    const response = await this.post(path)
    mustBe(response.text === 'bye', `nobody can log out: ${response.status}`)
  }
}

/** Throws where something fails that has to work on any site. */
export function mustBe(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`the site does not work: ${otherwise}`)
}
