import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CommandWatcher } from '../redis-commands/watch-commands.js'
import type { Stage } from './stage.js'

const visits = new WeakMap<IncomingMessage, Visit>()

/** The experiment that a request belongs to. */
export function visitOf(req: IncomingMessage): Visit {
  const visit = visits.get(req)
  if (visit === undefined) throw new Error('this request belongs to no experiment')
  return visit
}

/** Commands that change nothing. */
const READS: ReadonlySet<string> = new Set(['GET', 'HGETALL'])

/** One request of an experiment, as the server sees it. */
export class Visit implements CommandWatcher {
  readonly who: string
  readonly stage: Stage
  /** Resolves when the whole response has been sent. */
  readonly over: Promise<void>
  readonly #res: ServerResponse
  #isBegun = false
  /** Commands that were sent before the first step. */
  #commands: string[] = []

  constructor(req: IncomingMessage, res: ServerResponse, stage: Stage) {
    this.who = String(req.headers['x-who'])
    this.stage = stage
    this.#res = res
    this.over = new Promise((resolve) => res.once('close', resolve))
    visits.set(req, this)
  }

  /** Notes what the request does now. The commands that it sends from now on belong to this step. */
  step(text: string): void {
    const step = this.stage.step(this.who, text, this.#isBegun ? [] : this.#commands)
    this.#isBegun = true
    this.#commands = step.commands
  }

  /** Waits where an experiment holds this request. */
  async pause(): Promise<void> {
    await this.stage.handlers.get(this.who)?.wait()
  }

  /** Whether a byte of the response is on its way to the browser. */
  get hasAnswered(): boolean {
    return (this.#res.socket?.bytesWritten ?? 0) > 0
  }

  sent(name: string, key: string | undefined): () => void {
    this.stage.noteKey(key)
    this.#commands.push(name)
    return () => undefined
  }

  holdBack(name: string): Promise<void> | undefined {
    return READS.has(name) ? undefined : this.stage.writes.get(this.who)?.wait()
  }
}
