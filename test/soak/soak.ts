import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../support/redis-node.js'
import { until } from '../support/until.js'
import { Browsers } from './browser.js'
import { checkCookies, checkInside, checkReports } from './check.js'
import { Ledger } from './ledger.js'
import { lookInside } from './look-inside.js'
import { Random } from './random.js'
import { Servers } from './servers.js'
import { judgeArchive, waitUntilTold } from './told.js'
import type { Fault, Topology } from './topologies/topology.js'
import { Visitor } from './visitor.js'

export interface SoakOptions {
  seed: number
  /** How long the soak goes on injecting faults. */
  ms: number
  /** Minimum number of faults. */
  least?: number
  topology: Topology
  /** Prints one line for each thing that happened. */
  print: (line: string) => void
  /** Shows what is going on right now. */
  progress?: (text: string) => void
}

export interface SoakResult {
  violations: readonly string[]
  faults: string[]
  requests: number
}

const SERVERS = 3
const SOLO_VISITORS = 8
const TEAM_VISITORS = 6
/** Requests go well within this time after a fault is over. */
const RECOVERY_MS = 20_000
/** Room for caches of the runtime, and for the ledger. */
const HEAP_SLACK_BYTES = 12 * 1024 * 1024

/**
 * Sends mixed traffic, causes one fault after the other in an order that the seed decides, and checks all invariants
 * after each.
 */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const dir = mkdtempSync(join(tmpdir(), 'crh-soak-servers-'))
  const archive = join(dir, 'archive')
  writeFileSync(archive, '')
  const servers = new Servers(await freePorts(SERVERS), options.topology.where, archive)
  const browsers = new Browsers()
  const running = new Soak(options, servers, browsers, archive)
  try {
    await Promise.all(servers.ports.map((port) => servers.start(port)))
    return await running.run()
  } finally {
    await running.stop()
    browsers.close()
    await servers.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

class Soak {
  readonly #options: SoakOptions
  readonly #servers: Servers
  readonly #browsers: Browsers
  readonly #archive: string
  readonly #ledger = new Ledger()
  readonly #random: Random
  readonly #start = performance.now()
  readonly #faults: string[] = []
  #isOver = false
  #living: Promise<void>[] = []
  #requests = 0
  #cookiesTried = 0
  #worstMs = 0

  constructor(options: SoakOptions, servers: Servers, browsers: Browsers, archive: string) {
    this.#options = options
    this.#servers = servers
    this.#browsers = browsers
    this.#archive = archive
    this.#random = new Random(options.seed)
  }

  async run(): Promise<SoakResult> {
    const { ms, print, topology, least = 1 } = this.#options
    const random = this.#random.fork()
    this.#living = this.#visitors().map((visitor) => visitor.live(() => this.#isOver))
    await this.#settle()
    await sleep(1000)
    await this.#rest('(warming up)', undefined, 0)
    const baseline = await this.#heap()
    this.#browsers.resume()

    const faults = [...topology.faults, this.#serverKilled()]
    let order: Fault[] = []
    const begun = performance.now()
    const isTime = () => performance.now() - begun >= ms && this.#faults.length >= least
    while (!isTime() && this.#ledger.violations.length === 0) {
      if (order.length === 0) order = random.shuffled(faults)
      await sleep(random.between(200, 1000))
      await this.#inject(order.pop() as Fault, random)
      this.#browsers.resume()
    }
    await this.stop()
    await this.#end(baseline)
    const { sessions, undoneByFailover, lostInFailover } = this.#ledger
    print(
      `${this.#faults.length} faults, ${this.#requests} requests, ${sessions.size} sessions, ` +
        `slowest operation ${Math.round(this.#worstMs)} ms, ${this.#cookiesTried} dead ids tried, ` +
        `${undoneByFailover} logouts and ${lostInFailover} logins undone by failovers`,
    )
    return { violations: this.#ledger.violations, faults: this.#faults, requests: this.#requests }
  }

  /** Sends the visitors home. */
  async stop(): Promise<void> {
    this.#isOver = true
    this.#browsers.resume()
    await Promise.all(this.#living)
  }

  #visitors(): Visitor[] {
    const world = { ledger: this.#ledger, browsers: this.#browsers, ports: this.#servers.ports }
    const solo = Array.from({ length: SOLO_VISITORS }, (_, i) => new Visitor(world, this.#random.fork(), `solo${i}`))
    const team = Array.from(
      { length: TEAM_VISITORS },
      (_, i) => new Visitor(world, this.#random.fork(), `member${i}`, `team${i % 2}`),
    )
    return [...solo, ...team]
  }

  async #inject(fault: Fault, random: Random): Promise<void> {
    const { topology, progress } = this.#options
    progress?.(fault.name)
    this.#browsers.takeTally()
    if (fault.mayLose) {
      await topology.inStep()
      this.#ledger.beginDoubt()
    }
    const said = await fault.run(random)
    const over = performance.now()
    await this.#settle()
    const recovered = performance.now() - over
    await topology.healed()
    await this.#settle()
    await sleep(random.between(100, 400))
    await this.#rest(said === undefined ? fault.name : `${fault.name}: ${said}`, fault, recovered)
  }

  #serverKilled(): Fault {
    return {
      name: 'a server process is killed (SIGKILL)',
      run: async (random) => {
        const times = random.between(1, 2)
        for (let i = 0; i < times; i++) {
          const port = random.of(this.#servers.ports)
          await this.#servers.kill(port)
          await this.#servers.start(port)
        }
        return `${times} times`
      },
    }
  }

  /** Waits until requests that write go well on every server. */
  async #settle(): Promise<void> {
    const isFine = async (port: number) =>
      (await this.#browsers.ask('POST', port, `/cart/${this.#random.between(1, 9)}`)).status === 200
    await Promise.all(
      this.#servers.ports.map((port) =>
        until('requests go well', () => isFine(port), { timeoutMs: RECOVERY_MS, everyMs: 50 }),
      ),
    ).catch((err: Error) => this.#ledger.violated(`no recovery: ${err.message}`))
  }

  /** Lets everything under way come to its end, and checks what must be true then. */
  async #rest(what: string, fault: Fault | undefined, recoveredMs: number): Promise<void> {
    const before = this.#ledger.violations.length
    await this.#browsers.pause()
    if (fault?.mayLose) this.#ledger.endDoubt()
    await this.#check()
    const { requests, refused, cut, longestMs } = this.#browsers.takeTally()
    this.#requests += requests
    if (fault !== undefined) this.#faults.push(fault.name)
    const at = ((performance.now() - this.#start) / 1000).toFixed(1).padStart(6)
    const figures = `${requests} requests, ${refused} 503s, ${cut} cut, longest ${Math.round(longestMs)} ms`
    const ok = this.#ledger.violations.length === before ? 'ok' : 'VIOLATED'
    this.#options.print(`${at} s  ${ok}  ${what}; ${figures}, well again after ${Math.round(recoveredMs)} ms`)
  }

  async #check(): Promise<void> {
    const { topology } = this.#options
    checkInside(this.#ledger, await lookInside(await topology.masters()))
    this.#cookiesTried += await checkCookies(this.#ledger, this.#browsers, this.#servers.ports, this.#random)
    const reports = await this.#servers.reports()
    for (const { longestMs } of reports) this.#worstMs = Math.max(this.#worstMs, longestMs)
    checkReports(this.#ledger, reports, this.#servers.crashes.splice(0))
  }

  async #heap(): Promise<number> {
    return Math.max(...(await this.#servers.reports()).map(({ heapBytes }) => heapBytes))
  }

  /** Ends what is left, and checks that onEnd was told of everything that ever ended. */
  async #end(baseline: number): Promise<void> {
    const { topology, progress, print } = this.#options
    progress?.('the end')
    await this.#rest('the end', undefined, 0)
    const heap = await this.#heap()
    print(`heap ${megabytes(baseline)} at the beginning, ${megabytes(heap)} at the end`)
    if (heap > baseline + HEAP_SLACK_BYTES) this.#ledger.violated(`the heap grew to ${megabytes(heap)}`)
    const [port] = this.#servers.ports as [number]
    const { status } = await this.#browsers.ask('POST', port, '/clear')
    if (status !== 200) this.#ledger.violated(`clear answered ${status}`)
    await waitUntilTold(topology, this.#ledger)
    print(judgeArchive(this.#archive, this.#ledger))
  }
}

const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`
