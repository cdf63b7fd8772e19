import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { childScript } from '../support/child-script.js'

export interface State {
  saved: number
  refused: number
  warnings: string[]
}

/** A process with an application on another host than express-session. */
export class HostProcess {
  readonly #process: ChildProcess
  readonly #origin: string

  /** Compiling takes a while on a busy machine. */
  static readonly STARTS_WITHIN_MS = 60_000

  private constructor(process: ChildProcess, port: number) {
    this.#process = process
    this.#origin = `http://127.0.0.1:${port}`
  }

  /**
   * @param file in this folder; its first message is its port
   * @param options of the host and of the store, as JSON has them
   */
  static async start(
    file: string,
    prefix: string,
    options: object = {},
    storeOptions: object = {},
  ): Promise<HostProcess> {
    const args = [prefix, JSON.stringify(options), JSON.stringify(storeOptions)]
    const child = fork(childScript('test', 'hosts', file), args)
    const [{ port }] = await once(child, 'message')
    return new HostProcess(child, port)
  }

  async get(path: string, cookie = '', body?: URLSearchParams): Promise<Response> {
    const method = body === undefined ? 'GET' : 'POST'
    const response = await fetch(this.#origin + path, {
      method,
      body: body ?? null,
      headers: { cookie },
      redirect: 'manual',
    })
    if (response.status >= 400) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response
  }

  post(path: string, fields: Record<string, string>): Promise<Response> {
    return this.get(path, '', new URLSearchParams(fields))
  }

  /**
   * Makes a request to /slow… that has loaded the session and waits. Resolves with a function that lets it go on to its
   * end.
   */
  async underWay(path: string, cookie: string): Promise<() => Promise<Response>> {
    const reached = this.#heard('reached')
    const answer = this.get(path, cookie)
    await Promise.race([reached, answer])
    return () => {
      this.#process.send('open')
      return answer
    }
  }

  state(): Promise<State> {
    const state = this.#heard<State>('state')
    this.#process.send('state')
    return state
  }

  stop(): void {
    this.#process.kill('SIGKILL')
  }

  async #heard<T>(name: string): Promise<T> {
    for (;;) {
      const [message] = await once(this.#process, 'message')
      if (name in message) return message[name]
    }
  }
}

export const cookieOf = (response: Response) => response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
export const sidOf = (cookie: string) =>
  decodeURIComponent(cookie.slice(cookie.indexOf('=') + 1)).split('.')[0] as string
