import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { withWatcher } from '../redis-commands/watch-commands.js'
import { Gate } from './gate.js'
import type { Site } from './sites.js'
import { Visit } from './visit.js'

/** What happened, in plain words. */
export interface Step {
  /** `A` and `B` are the two requests that meet; the `visitor` does what comes before and after. */
  who: string
  text: string
  /** Names of the commands that it sent to Redis. */
  commands: string[]
}

/** What a page of the application says of the session. */
export type Properties = Record<string, unknown>

/** One site during one experiment: a server on a port of its own, and one visitor with a browser. */
export class Stage {
  readonly steps: Step[] = []
  /** Handlers that are held, by who. */
  readonly handlers = new Map<string, Gate>()
  /** Requests whose writes are held on their way to Redis, by who. */
  readonly writes = new Map<string, Gate>()
  /** Rejects when a request fails. */
  readonly failed: Promise<never>
  readonly fail: (error: unknown) => void
  readonly #site: Site
  readonly #server: Server
  readonly #visits = new Map<string, Visit>()
  readonly #keys = new Set<string>()
  readonly #cookies = new Map<string, string>()

  static async open(site: Site): Promise<Stage> {
    const stage = new Stage(site)
    stage.#server.listen(0, '127.0.0.1')
    await once(stage.#server, 'listening')
    return stage
  }

  private constructor(site: Site) {
    let reject!: (error: unknown) => void
    this.failed = new Promise((_resolve, rejected) => {
      reject = rejected
    })
    this.failed.catch(() => undefined)
    this.fail = reject
    this.#site = site
    this.#server = createServer((req, res) => {
      const visit = new Visit(req, res, this)
      this.#visits.set(visit.who, visit)
      if (visit.who !== 'visitor') {
        visit.step(req.headers.cookie === undefined ? 'arrives without a cookie' : 'arrives, and reads the session')
      }
      withWatcher(visit, () => site.app(req, res))
    })
  }

  /** @param commands those that belong to the step and were sent before */
  step(who: string, text: string, commands: string[] = []): Step {
    const step = { who, text, commands }
    this.steps.push(step)
    return step
  }

  /** The keys of the site that the experiment has used. */
  get keys(): readonly string[] {
    return [...this.#keys]
  }

  noteKey(key: string | undefined): void {
    if (key?.includes(this.#site.prefix)) this.#keys.add(key)
  }

  /** Makes the handler of a request wait. */
  holdHandler(who: string): Gate {
    return hold(this.handlers, who)
  }

  /** Makes what a request writes wait on its way to Redis. */
  holdWrites(who: string): Gate {
    return hold(this.writes, who)
  }

  /** Whether the browser gets the response of this request now, or has got it. */
  isAnswered(who: string): boolean {
    return this.#visits.get(who)?.hasAnswered ?? false
  }

  /** Resolves when the response to this request is complete, which a browser does not wait for. */
  async isOver(who: string): Promise<void> {
    await this.#visits.get(who)?.over
  }

  /** Sends a request with the cookies of the browser, and keeps those of the response. Fails the stage if it fails. */
  send(who: string, method: 'GET' | 'POST', path: string): Promise<Properties> {
    const answer = this.#send(who, method, path)
    // Nobody may be waiting for it when it fails.
    answer.catch(this.fail)
    return answer
  }

  /** Returns the cookies that the browser has, for `useCookies`. */
  copyCookies(): ReadonlyMap<string, string> {
    return new Map(this.#cookies)
  }

  useCookies(cookies: ReadonlyMap<string, string>): void {
    this.#cookies.clear()
    for (const [name, value] of cookies) this.#cookies.set(name, value)
  }

  close(): void {
    for (const gate of [...this.handlers.values(), ...this.writes.values()]) gate.open()
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #send(who: string, method: string, path: string): Promise<Properties> {
    const { port } = this.#server.address() as AddressInfo
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { 'x-who': who, 'x-forwarded-proto': 'https', ...(cookie !== '' && { cookie }) }
    // Without an agent, each request has a connection of its own.
    const req = request({ host: '127.0.0.1', port, method, path, headers, agent: false }).end()
    const [res] = await once(req, 'response')
    req.on('error', () => undefined)
    this.#keepCookies(res.headers['set-cookie'] ?? [])
    if (res.statusCode >= 500) throw new Error(`the experiment has answered ${res.statusCode}`)
    // A browser follows a redirect as soon as it has the headers.
    if (res.statusCode >= 300) return res.resume() && {}
    const text = (await res.setEncoding('utf8').toArray()).join('')
    return text === '' ? {} : JSON.parse(text)
  }

  #keepCookies(lines: readonly string[]): void {
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
  }
}

function hold(gates: Map<string, Gate>, who: string): Gate {
  const gate = new Gate()
  gates.set(who, gate)
  return gate
}
