import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { LEASE_MS } from '../../src/cache/tracked-node.js'
import { figure } from '../support/figures.js'
import { CACHE } from '../support/near-cache.js'
import { type PrivateRedis, privateRedis } from '../support/private-redis.js'
import { until } from '../support/until.js'
import { type Content, Peer } from './peer.js'

/**
 * Two processes have a near cache each; their tracking connections are cut, held up, or lose what Redis sends. Whatever
 * happens, a process may be behind for LEASE_MS at most, never behind itself, and not at all once it has been told.
 */
const PREFIX = 'near:'
let redis: PrivateRedis
let peers: [Peer, Peer]

beforeAll(async () => {
  redis = await privateRedis()
  const options = { prefix: PREFIX, cache: CACHE, touchInterval: 600 }
  peers = (await Promise.all([0, 1].map(() => Peer.start(redis.socketPath, options)))) as [Peer, Peer]
})
afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.stop()))
  await redis.stop()
})
beforeEach(async () => {
  await peers[0].tell({ do: 'login', sid: 'probe', put: {} })
  for (const peer of peers) {
    peer.line.release()
    await peer.caches('probe')
  }
})

/** A session, or none; `owner` tells one session from the next one under the same id. */
interface State {
  owner: object | null
  content: Content | null
  /** The latest time at which it was there, by the clock of this process; Infinity: it still is. */
  until: number
}

/** The states that Redis has held, one after another. */
class History {
  readonly #states: State[] = [{ owner: null, content: null, until: Number.POSITIVE_INFINITY }]
  /** Per process, the state that it must not fall back behind. */
  readonly #floor = [0, 0]

  get now(): State {
    return this.#states.at(-1) as State
  }

  /** @param by the process that was told so by Redis */
  becomes(next: Pick<State, 'owner' | 'content'>, by?: number): void {
    this.now.until = performance.now()
    this.#states.push({ ...next, until: Number.POSITIVE_INFINITY })
    if (by !== undefined) this.#floor[by] = this.#states.length - 1
  }

  /** Notes that this process knows all that has happened. */
  delivered(to: number): void {
    this.#floor[to] = this.#states.length - 1
  }

  /** Expects that what a process has read was there, whole, and not too long ago. */
  check(by: number, read: Content | null, startedAt: number): State {
    const from = this.#floor[by] as number
    const found = this.#states.findIndex(
      (state, i) =>
        i >= from && state.until + LEASE_MS > startedAt && JSON.stringify(state.content) === JSON.stringify(read),
    )
    if (found === -1) throw new Error(`read ${JSON.stringify(read)}, after ${JSON.stringify(this.#states.slice(from))}`)
    this.#floor[by] = found
    return this.#states[found] as State
  }
}

type Step =
  | { do: 'read' | 'destroy' | 'login' | 'save' | 'patch' | 'drop'; by: number; name: string }
  | { do: 'expire' }
  | { do: 'cut' | 'stall' | 'mute' | 'release' | 'outwait' | 'hear'; by: number }

const by = fc.nat(1)
const name = fc.constantFrom('a', 'b', 'c')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('read' as const), by, name }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('save' as const, 'drop', 'patch'), by, name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('destroy' as const, 'login'), by, name }) },
  { weight: 1, arbitrary: fc.constant({ do: 'expire' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'stall', 'mute', 'release'), by }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('outwait' as const, 'hear', 'hear'), by }) },
)

let written = 0

class Run {
  readonly #sid = `s${written++}`
  readonly #history = new History()
  readonly #isBroken = [false, false]

  async step(one: Step): Promise<void> {
    if (one.do === 'expire') return this.#expire()
    const peer = peers[one.by] as Peer
    switch (one.do) {
      case 'cut':
        peer.line.cut()
        return
      case 'stall':
      case 'mute':
        peer.line[one.do]()
        this.#isBroken[one.by] = true
        return
      case 'release':
        peer.line.release()
        // Without what was lost on the way, it would be out of step for ever.
        peer.line.cut()
        this.#isBroken[one.by] = false
        return
      case 'outwait':
        await this.#outwait(one.by)
        return
      case 'hear':
        if (this.#isBroken[one.by]) return
        // It cannot hear over a connection that has just been lost, and then its cache is empty.
        await peer.tell({ do: 'delivered' })
        this.#history.delivered(one.by)
        return
      default:
        await this.#order(one.do, one.by, one.name)
    }
  }

  /** Waits so long that the process must not be behind any more, however its line is. */
  async #outwait(by: number): Promise<void> {
    await sleep(LEASE_MS + 1)
    this.#history.delivered(by)
    await this.#order('read', by, '')
  }

  async #expire(): Promise<void> {
    const isThere = await redis.admin.pexpire(PREFIX + this.#sid, 30)
    if (isThere === 0) return
    for (const by of [0, 1]) await this.#order('read', by, '', true)
    await until('the session has expired', async () => (await redis.admin.exists(PREFIX + this.#sid)) === 0, {
      everyMs: 2,
    })
    this.#history.becomes({ owner: null, content: null })
  }

  async #order(what: string, by: number, name: string, isExpiring = false): Promise<void> {
    const [peer, sid, history, startedAt] = [peers[by] as Peer, this.#sid, this.#history, performance.now()]
    const put = { [name]: written++ }
    switch (what) {
      case 'read': {
        const read = await peer.tell<Content | null>({ do: 'read', sid })
        if (!(isExpiring && read === null)) history.check(by, read && sorted(read), startedAt)
        return
      }
      case 'login':
        await peer.tell({ do: 'login', sid, put })
        return history.becomes({ owner: history.now.owner ?? {}, content: put }, by)
      case 'destroy':
        await peer.tell({ do: 'destroy', sid })
        return history.becomes({ owner: null, content: null }, by)
      case 'patch': {
        const isThere = await peer.tell<boolean>({ do: 'patch', sid, put })
        expect(isThere).toBe(history.now.owner !== null)
        if (isThere) history.becomes({ ...history.now, content: sorted({ ...history.now.content, ...put }) }, by)
        return
      }
      default: {
        const order = what === 'save' ? { put } : { drop: name }
        const loaded = await peer.tell<Content | null>({ do: 'save', sid, ...order })
        const base = history.check(by, loaded && sorted(loaded), startedAt)
        // Nothing of a session that has ended comes back, and nothing of it reaches the next one.
        if (base.owner === null || base.owner !== history.now.owner) return
        const { [name]: _dropped, ...others } = history.now.content as Content
        const isWritten = what === 'save' || name in (base.content as Content)
        if (isWritten)
          history.becomes({ ...history.now, content: what === 'save' ? sorted({ ...others, ...put }) : others }, by)
      }
    }
  }

  /** Expects that in the end Redis holds what both say. */
  async finish(): Promise<void> {
    for (const by of [0, 1]) await this.step({ do: 'release', by })
    for (const peer of peers) await peer.caches('probe')
    for (const by of [0, 1]) {
      this.#history.delivered(by)
      await this.#order('read', by, '')
    }
    await peers[0].tell({ do: 'destroy', sid: this.#sid })
  }
}

function sorted(content: Content): Content {
  return Object.fromEntries(Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1)))
}

test('whatever is written, ended and lost, no process is behind for longer than it may, nor behind itself', async () => {
  const login: Step = { do: 'login', by: 0, name: 'a' }
  const before = (await Promise.all(peers.map((peer) => peer.hits()))).reduce((a, b) => a + b)
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async (steps) => {
      const run = new Run()
      for (const one of [login, ...steps]) await run.step(one)
      await run.finish()
    }),
    { numRuns: 20, endOnFailure: true },
  )
  const after = (await Promise.all(peers.map((peer) => peer.hits()))).reduce((a, b) => a + b)
  expect(after - before).toBeGreaterThan(20)
})

test('a process that was halted serves nothing that was ended meanwhile', async () => {
  const [one, halted] = peers
  for (let round = 0; round < 3; round++) {
    await one.tell({ do: 'login', sid: 'halted', put: { round } })
    await halted.caches('halted')
    process.kill(halted.pid, 'SIGSTOP')
    await one.tell({ do: 'destroy', sid: 'halted' })
    await sleep(LEASE_MS)
    const asked = halted.tell({ do: 'read', sid: 'halted' })
    process.kill(halted.pid, 'SIGCONT')
    expect(await asked).toBeNull()
  }
})

test('what one process ends, the other knows as soon as it has heard, and that is soon', async () => {
  const [one, two] = peers
  const took: number[] = []
  for (let round = 0; round < 50; round++) {
    await one.tell({ do: 'login', sid: 'soon', put: { round } })
    await two.caches('soon')
    await one.tell({ do: 'destroy', sid: 'soon' })
    const start = performance.now()
    while ((await two.tell({ do: 'read', sid: 'soon' })) !== null);
    took.push(performance.now() - start)
  }
  took.sort((a, b) => a - b)
  figure('near cache, end seen in another process', { median: took[25] as number, longest: took.at(-1) as number })
  expect(took[25]).toBeLessThan(50)
})

test('under load and broken lines, no confirmed save is lost, and in the end both read what Redis holds', async () => {
  const sids = Array.from({ length: 5 }, (_, i) => `load-${i}`)
  for (const sid of sids) await peers[0].tell({ do: 'login', sid, put: {} })
  const confirmed = new Map<string, Content>(sids.map((sid) => [sid, {}]))
  const until = performance.now() + 4000
  const writer = async (by: number, lane: number) => {
    for (let i = 0; performance.now() < until; i++) {
      const sid = sids[(i + lane) % sids.length] as string
      const put = { [`p${by}-${lane}`]: i }
      const loaded = await (peers[by] as Peer).tell({ do: 'save', sid, put })
      expect(loaded).not.toBeNull()
      Object.assign(confirmed.get(sid) as Content, put)
      await (peers[by] as Peer).tell({ do: 'read', sid })
    }
  }
  const faults = async () => {
    for (let i = 0; performance.now() < until; i++) {
      const { line } = peers[i % 2] as Peer
      if (i % 3 === 0) line.stall()
      await sleep(150)
      line.cut()
      line.release()
      await sleep(100)
    }
  }
  await Promise.all([faults(), ...[0, 1].flatMap((by) => [0, 1, 2].map((lane) => writer(by, lane)))])
  await sleep(LEASE_MS)
  for (const sid of sids) {
    const held = confirmed.get(sid) as Content
    for (const peer of peers) expect(await peer.tell({ do: 'read', sid })).toEqual(held)
  }
})
