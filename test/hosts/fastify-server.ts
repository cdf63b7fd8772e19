import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface State {
  saved: number
  refused: number
  warnings: string[]
}

/** A process with an application on @fastify/session. */
export class FastifyServer {
  readonly #process: ChildProcess
  readonly #port: Promise<number>

  /** @param options of @fastify/session and of the store, as JSON has them */
  constructor(prefix: string, options: object = {}, storeOptions: object = {}) {
    const args = [prefix, JSON.stringify(options), JSON.stringify(storeOptions)]
    this.#process = fork(join('test', 'hosts', 'fastify.child.ts'), args, { execArgv: ['--import', 'tsx'] })
    this.#port = this.#heard<number>('port')
  }

  async listening(): Promise<void> {
    await this.#port
  }

  async get(path: string, cookie = ''): Promise<Response> {
    const response = await fetch(`http://127.0.0.1:${await this.#port}${path}`, { headers: { cookie } })
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response
  }

  /** A request to /slow… that has loaded the session and waits. Resolves what lets it go on to its end. */
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
