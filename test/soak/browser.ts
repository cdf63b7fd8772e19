import { Agent, request } from 'node:http'

export interface Answer {
  /** 0 means no answer, as the server went away. */
  status: number
  body: Record<string, unknown>
  cookie: string | undefined
  ms: number
}

/** What requests have come to since the last takeTally. */
export interface Tally {
  requests: number
  refused: number
  cut: number
  longestMs: number
}

const GIVE_UP_MS = 15_000

/** Sends requests as browsers do, and holds them while nothing may be under way. */
export class Browsers {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })
  #tally: Tally = newTally()
  #underWay = 0
  #opened: Promise<void> | undefined
  #open = () => {}
  #idle = () => {}

  get underWay(): number {
    return this.#underWay
  }

  takeTally(): Tally {
    const tally = this.#tally
    this.#tally = newTally()
    return tally
  }

  /** Resolves when nothing is under way any more. */
  async pause(): Promise<void> {
    this.#opened = new Promise((open) => {
      this.#open = open
    })
    if (this.#underWay > 0) {
      await new Promise<void>((idle) => {
        this.#idle = idle
      })
    }
  }

  resume(): void {
    this.#opened = undefined
    this.#open()
  }

  /**
   * Waits while requests are held: one that follows at once is sent at once, and what the caller has looked at is still
   * true.
   */
  async turn(): Promise<void> {
    while (this.#opened !== undefined) await this.#opened
  }

  async send(method: 'GET' | 'POST', port: number, path: string, cookie?: string): Promise<Answer> {
    this.#underWay += 1
    const answer = await this.ask(method, port, path, cookie)
    this.#underWay -= 1
    this.#tally.requests += 1
    if (answer.status === 503) this.#tally.refused += 1
    if (answer.status === 0) this.#tally.cut += 1
    this.#tally.longestMs = Math.max(this.#tally.longestMs, answer.ms)
    if (this.#underWay === 0) this.#idle()
    return answer
  }

  /** Sends a request that nothing holds back, and that no tally counts. */
  ask(method: 'GET' | 'POST', port: number, path: string, cookie?: string): Promise<Answer> {
    const start = performance.now()
    return new Promise((resolve) => {
      const settle = (status: number, body = {}, cookie?: string) =>
        resolve({ status, body, cookie, ms: performance.now() - start })
      const headers = { 'user-agent': 'Soak/1.0', ...(cookie !== undefined && { cookie }) }
      const sent = request(
        { method, port, path, headers, host: '127.0.0.1', agent: this.#agent, timeout: GIVE_UP_MS },
        (res) => {
          let text = ''
          res.on('data', (chunk) => {
            text += chunk
          })
          res.on('error', () => settle(0))
          res.on('end', () => {
            const [set] = res.headers['set-cookie'] ?? []
            settle(res.statusCode ?? 0, parsed(text), set?.split(';')[0])
          })
        },
      )
      sent.on('timeout', () => sent.destroy())
      sent.on('error', () => settle(0))
      sent.end()
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

function parsed(text: string): object {
  try {
    return JSON.parse(text) as object
  } catch {
    return {}
  }
}

function newTally(): Tally {
  return { requests: 0, refused: 0, cut: 0, longestMs: 0 }
}
