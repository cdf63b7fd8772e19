import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ServerReport, ServerSettings } from './server.child.js'

const CHILD = join('test', 'soak', 'server.child.ts')

/** The processes of the application, each on a port of its own. */
export class Servers {
  readonly ports: readonly number[]
  /** Servers that have ended by themselves. */
  readonly crashes: string[] = []
  readonly #where: unknown[]
  readonly #archive: string
  readonly #children = new Map<number, ChildProcess>()

  /** @param where arguments of `connectRedis` */
  constructor(ports: readonly number[], where: unknown[], archive: string) {
    this.ports = ports
    this.#where = where
    this.#archive = archive
  }

  async start(port: number): Promise<void> {
    const settings: ServerSettings = { where: this.#where, port, archive: this.#archive }
    const child = fork(CHILD, [JSON.stringify(settings)], {
      execArgv: ['--import', 'tsx', '--expose-gc', '--max-semi-space-size=8'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_ENV: 'test' },
    })
    let errors = ''
    child.stderr?.on('data', (text) => {
      errors = `${errors}${text}`.slice(-2000)
    })
    child.once('exit', (code, signal) => {
      if (this.#children.get(port) !== child) return
      this.#children.delete(port)
      this.crashes.push(`a server has ended by itself (${signal ?? code}): ${errors}`)
    })
    this.#children.set(port, child)
    await Promise.race([once(child, 'message'), once(child, 'exit')])
  }

  /** Kills a process, as a crash between any two steps would. */
  async kill(port: number): Promise<void> {
    const child = this.#children.get(port)
    if (child === undefined) return
    this.#children.delete(port)
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** What happened in each process since the last call. */
  async reports(): Promise<ServerReport[]> {
    return Promise.all(
      [...this.#children.values()].map(async (child) => {
        child.send('report')
        const [report] = await once(child, 'message', { signal: AbortSignal.timeout(10_000) })
        return report as ServerReport
      }),
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.ports.map((port) => this.kill(port)))
  }
}
