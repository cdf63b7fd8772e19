import { type ChildProcess, spawn } from 'node:child_process'
import type { RedisStoreOptions } from 'connect-redis-hash'
import { type BadLine, badLineTo } from '../support/bad-line.js'
import { childScript } from '../support/child-script.js'
import { until } from '../support/until.js'

export type Content = Record<string, unknown>

export type Order =
  | { do: 'read' | 'destroy'; sid: string }
  | { do: 'save'; sid: string; put?: Content; drop?: string }
  | { do: 'patch' | 'login'; sid: string; put: Content }
  | { do: 'stats' | 'delivered' }

/** A process of an application. */
export class Peer {
  /** The line of its tracking connection; it sends and reads everything else by another one. */
  readonly line: BadLine
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: never): void; reject(err: Error): void }>()
  #last = 0

  static async start(socketPath: string, options: Partial<RedisStoreOptions>): Promise<Peer> {
    const peer = new Peer(await badLineTo(socketPath), socketPath, options)
    await new Promise<void>((resolve, reject) => peer.#waiting.set(0, { resolve, reject }))
    return peer
  }

  private constructor(line: BadLine, socketPath: string, options: Partial<RedisStoreOptions>) {
    this.line = line
    const args = [childScript('test', 'cache', 'peer.child.ts'), socketPath, line.path, JSON.stringify(options)]
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', ({ id, value, error }: { id: number; value: never; error?: string }) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the process has ended (${code})`))
    })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  tell<T = unknown>(order: Order): Promise<T> {
    const id = ++this.#last
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as never, reject })
      this.#child.send({ ...order, id })
    })
  }

  async hits(): Promise<number> {
    return (await this.tell<{ hits: number }>({ do: 'stats' })).hits
  }

  /** Waits until a session that it reads again is served from its cache. */
  async caches(sid: string): Promise<void> {
    await until('the process caches', async () => {
      const before = await this.hits()
      await this.tell({ do: 'read', sid })
      return (await this.hits()) > before
    })
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.line.close()
  }
}
