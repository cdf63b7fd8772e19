import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { type EmbeddedRedis, startRedis } from '../scripts/embedded-redis.js'
import { freePort } from '../src/testing/free-port.js'
import type { Place } from './contenders/contender.js'
import { CONTENDERS, contenderNamed } from './contenders/index.js'
import type { Options } from './options.js'
import { type Cores, pin } from './processes/cores.js'
import type { LoadHandlers } from './processes/load.js'
import type { ProxyHandlers } from './processes/proxy.js'
import { Remote } from './processes/remote.js'
import type { SqlHandlers } from './processes/sql.js'
import type { WorkerHandlers } from './processes/worker.js'
import type { Progress } from './progress.js'
import type { Skipped } from './results.js'

export type Worker = Remote<WorkerHandlers> & { contender: string }

/** Ports of the servers, or of the proxies in front of them. */
export type Ports = Pick<Place, 'redisPort' | 'sqlPort'>

/** The servers and processes of one run. */
export class Bench {
  readonly options: Options
  readonly progress: Progress
  readonly cores: Cores | undefined
  readonly skipped: Skipped[] = []
  readonly #directory = mkdtempSync(join(tmpdir(), 'bench-'))
  readonly #remotes = new Set<{ end(): Promise<void> }>()
  #redis: EmbeddedRedis | undefined
  #admin: Redis | undefined
  #sqlPort: Promise<number> | undefined
  #directories = 0

  constructor(options: Options, progress: Progress, cores: Cores | undefined) {
    this.options = options
    this.progress = progress
    this.cores = cores
  }

  async start(): Promise<void> {
    const port = await freePort()
    // Redis has its default settings, except persistence, which would compete with the measured work.
    this.#redis = await startRedis({ dir: this.#directory, persistent: false, port })
    pin(this.#redis.pid, this.cores?.others)
    this.#admin = new Redis(port)
  }

  get admin(): Redis {
    return this.#admin as Redis
  }

  /** Returns a client for the database of a contender. */
  adminOf(contender: string): Redis {
    return this.admin.duplicate({ db: databaseOf(contender) })
  }

  async ports(): Promise<Ports> {
    this.#sqlPort ??= this.#remote<SqlHandlers>('sql').call('open', null)
    return { ...this.redisPorts, sqlPort: await this.#sqlPort }
  }

  /** For contenders that need Redis only. PostgreSQL, which takes a while to start, is not started. */
  get redisPorts(): Ports {
    return { redisPort: this.#redis?.port as number, sqlPort: 0 }
  }

  /** Ports of the proxy, which it forwards to the servers. */
  async portsBehind(proxy: Remote<ProxyHandlers>): Promise<Ports> {
    const { redisPort, sqlPort } = await this.ports()
    return {
      redisPort: await proxy.call('open', { port: redisPort }),
      sqlPort: await proxy.call('open', { port: sqlPort }),
    }
  }

  /** Starts the processes of these contenders. Contenders that cannot take part are left out. */
  async workers(names: readonly string[], ports?: Ports): Promise<Worker[]> {
    const at = ports ?? (await this.ports())
    const workers = await Promise.all(names.map((name) => this.worker(name, at, databaseOf(name))))
    return workers.filter((worker) => worker !== undefined)
  }

  async worker(contender: string, ports: Ports, redisDatabase: number): Promise<Worker | undefined> {
    const { title } = contenderNamed(contender)
    if (this.skipped.some(({ name }) => name === title)) return undefined
    const remote = new Remote<WorkerHandlers>('worker', this.cores?.measured, ['--expose-gc'])
    this.#remotes.add(remote)
    const directory = join(this.#directory, `files-${this.#directories++}`)
    const why = await remote.call('open', { contender, place: { ...ports, redisDatabase, directory } })
    if (why === undefined) return Object.assign(remote, { contender })
    this.skipped.push({ name: title, why })
    this.progress.say(`skipped: ${title}: ${why}`)
    await this.end([remote])
    return undefined
  }

  /** Starts another Redis with default settings, which ends with this one. */
  async anotherRedis(args: readonly string[]): Promise<Redis> {
    const dir = join(this.#directory, `redis-${this.#directories++}`)
    const server = await startRedis({ dir, persistent: false, port: await freePort(), args: [...args] })
    pin(server.pid, this.cores?.others)
    const client = new Redis(server.port as number)
    this.#remotes.add({
      async end() {
        client.disconnect()
        await server.kill()
      },
    })
    return client
  }

  proxy(): Remote<ProxyHandlers> {
    return this.#remote<ProxyHandlers>('proxy')
  }

  load(): Remote<LoadHandlers> {
    return this.#remote<LoadHandlers>('load')
  }

  async end(remotes: readonly { end(): Promise<void> }[]): Promise<void> {
    for (const remote of remotes) {
      this.#remotes.delete(remote)
      await remote.end()
    }
  }

  /** CPU time that Redis has used so far, in microseconds. */
  async redisCpu(): Promise<number> {
    const info = await this.admin.info('cpu')
    const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
    return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6
  }

  /** @returns name and version, e.g. `Redis 7.0.15`; Valkey gives a `redis_version` as well, that of its origin */
  async serverName(): Promise<string> {
    const info = await this.admin.info('server')
    const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1]
    return valkey ? `Valkey ${valkey}` : `Redis ${/^redis_version:(\S+)/m.exec(info)?.[1]}`
  }

  async stop(): Promise<void> {
    await this.end([...this.#remotes])
    this.#admin?.disconnect()
    await this.#redis?.kill()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #remote<H extends ProxyHandlers | LoadHandlers | SqlHandlers>(file: 'proxy' | 'load' | 'sql'): Remote<H> {
    const remote = new Remote<H>(file, this.cores?.others)
    this.#remotes.add(remote)
    return remote
  }
}

/** Each contender has its own database, out of Redis's sixteen. */
export function databaseOf(contender: string): number {
  return CONTENDERS.findIndex(({ name }) => name === contender)
}
