import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/**
 * The functions of a child process. Parameters and results must be plain data, because they are sent over Node's IPC.
 */
export type Handlers = Record<string, (params: never) => unknown>

interface Call {
  id: number
  name: string
  params: unknown
}

interface Answer {
  id: number
  value?: unknown
  error?: string
}

/** Runs in the child process: answers calls until the parent process ends. */
export function answerCalls(handlers: Handlers): void {
  process.on('disconnect', () => process.exit())
  process.on('message', async ({ id, name, params }: Call) => {
    const answer: Answer = { id }
    try {
      answer.value = await (handlers[name] as (params: unknown) => unknown)(params)
    } catch (error) {
      answer.error = String((error as Error)?.stack ?? error)
    }
    process.send?.(answer)
  })
}

/** Runs in the parent process: calls the functions of a child process. */
export class Remote<H extends Handlers> {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #calls = 0

  /** @param file name in this directory, without extension */
  constructor(file: string, core: number | undefined, nodeArgs: readonly string[] = []) {
    const path = fileURLToPath(new URL(`./${file}.js`, import.meta.url))
    const pinned = core === undefined ? {} : { execPath: 'taskset' }
    const before = core === undefined ? [] : ['-c', String(core), process.execPath]
    this.#child = fork(path, [], {
      ...pinned,
      execArgv: [...before, ...nodeArgs],
      env: { ...process.env, NODE_ENV: 'production' },
      serialization: 'advanced',
    })
    this.pid = this.#child.pid ?? 0
    this.#child.on('message', ({ id, value, error }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} ended (${signal ?? code})`))
      this.#waiting.clear()
    })
  }

  call<N extends keyof H & string>(name: N, params: Parameters<H[N]>[0]): Promise<Awaited<ReturnType<H[N]>>> {
    const id = ++this.#calls
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id, name, params } satisfies Call)
    })
  }

  /** Stands still until `resume`: takes no CPU time from others, not even to collect garbage. */
  halt(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
