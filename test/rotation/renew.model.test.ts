import { createServer, type Server } from 'node:http'
import { RedisStore, renewSession } from 'connect-redis-hash'
import express from 'express'
import session from 'express-session'
import fc from 'fast-check'
import { passTime } from '../support/pass-time.js'
import { connect, freshPrefix } from '../support/redis.js'
import { Visitor } from '../support/visitor.js'

/*
 * A browser whose responses get lost, its parallel requests, thieves with copies of ids from any moment, and time come
 * in random order. The oracle knows only the rules of design: what each id may do follows from the ids that have been
 * issued, and from those that a client has come with.
 */

/** In seconds. No sum of the steps below comes within seconds of either. */
const EVERY = 600
const GRACE = 30
const STEPS = [17, 41, 700]

const client = connect()
const prefix = freshPrefix()
const store = new RedisStore({ client, prefix, disableTouch: true })
let server: Server

beforeAll(() => {
  const app = express()
  app.use(session({ store, secret: 's', resave: false, saveUninitialized: false }))
  app.use(renewSession({ every: EVERY, grace: GRACE }))
  app.get('/login', (req, res) => {
    Object.assign(req.session, { userId: 'ada' })
    res.end()
  })
  app.get('/write/:name', async (req, res) => {
    const held = req.session as unknown as Record<string, unknown>
    const isServed = held.userId === 'ada'
    if (isServed) held[req.params.name] = 1
    // Parallel requests interleave here.
    await new Promise((resolve) => setImmediate(resolve))
    res.json({ isServed })
  })
  server = createServer(app).listen(0)
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await store.clear()
  await client.quit()
})

type Action =
  | { kind: 'browse'; tabs: number; lost: boolean[] }
  | { kind: 'steal' }
  | { kind: 'thief'; which: number }
  | { kind: 'both'; which: number; thiefFirst: boolean }
  | { kind: 'pass'; seconds: number }

const which = fc.nat({ max: 5 })
const browse = fc.record({
  kind: fc.constant('browse' as const),
  tabs: fc.integer({ min: 1, max: 4 }),
  lost: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
})
const steal = fc.record({ kind: fc.constant('steal' as const) })
const thief = fc.record({ kind: fc.constant('thief' as const), which })
const both = fc.record({ kind: fc.constant('both' as const), which, thiefFirst: fc.boolean() })
const pass = fc.record({ kind: fc.constant('pass' as const), seconds: fc.constantFrom(...STEPS, 700) })
/** The weights let thieves often come too late, and ids often be renewed. */
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: browse },
  { weight: 2, arbitrary: steal },
  { weight: 2, arbitrary: thief },
  { weight: 1, arbitrary: both },
  { weight: 3, arbitrary: pass },
)

/** What may happen to one request. */
interface Outcome {
  isServed: boolean
  /** Generation that the response sets a cookie for. */
  cookie: number | undefined
}

/** The rules. Generations count from 0; `confirmed` is the highest that a client has come with. */
class Oracle {
  issued = 0
  confirmed = 0
  since = 0
  now = 0
  isOver = false

  copy(): Oracle {
    return Object.assign(new Oracle(), this)
  }

  request(generation: number): Outcome {
    const nothing = { isServed: false, cookie: undefined }
    if (this.isOver) return nothing
    const isOutdated = generation < this.confirmed
    const isInGrace = generation === this.issued - 1 && this.now - this.since < GRACE
    if (isOutdated && !isInGrace) {
      this.isOver = true
      return nothing
    }
    if (isOutdated) return { isServed: true, cookie: undefined }
    if (generation > this.confirmed) {
      this.confirmed = generation
      this.since = this.now
    }
    if (generation === this.issued && this.now - this.since >= EVERY) {
      this.issued += 1
      this.since = this.now
    }
    return { isServed: true, cookie: generation < this.issued ? this.issued : undefined }
  }
}

/** One run: a login, then the actions, each checked against the oracle. */
class World {
  readonly oracle = new Oracle()
  readonly browser = new Visitor(server)
  readonly pocket: string[] = []
  readonly written: string[] = []
  /** Cookie of each generation. */
  readonly cookies: string[] = []
  key = ''
  #requests = 0

  async login(): Promise<void> {
    await this.browser.get('/login')
    this.cookies.push(this.browser.cookie)
    this.key = `${prefix}${this.browser.sid}`
  }

  async act(step: Action): Promise<void> {
    if (step.kind === 'browse') return this.#browse(step.tabs, step.lost)
    if (step.kind === 'pass') {
      this.oracle.now += step.seconds
      if (!this.oracle.isOver) await passTime(client, this.key, step.seconds * 1000)
      return
    }
    if (step.kind === 'steal') {
      this.pocket.push(this.browser.cookie)
      return
    }
    if (this.pocket.length === 0) return
    const at = step.which % this.pocket.length
    if (step.kind === 'thief') await this.#checked([this.pocket[at] as string], ([cookie]) => this.#loot(at, cookie))
    else await this.#both(at, step.thiefFirst)
  }

  async #browse(tabs: number, lost: boolean[]): Promise<void> {
    await this.#checked(
      Array.from({ length: tabs }, () => this.browser.cookie),
      (received) => {
        received.forEach((cookie, i) => {
          if (cookie !== undefined && !lost[i]) this.browser.cookie = cookie
        })
      },
    )
  }

  /** Browser and thief come at the same moment: either may be first. */
  async #both(at: number, thiefFirst: boolean): Promise<void> {
    const sent = [this.browser.cookie, this.pocket[at] as string]
    await this.#checked(thiefFirst ? sent.toReversed() : sent, (received) => {
      const [own, thiefs] = thiefFirst ? received.toReversed() : received
      if (own !== undefined) this.browser.cookie = own
      this.#loot(at, thiefs)
    })
  }

  #loot(at: number, cookie: string | undefined): void {
    if (cookie !== undefined) this.pocket[at] = cookie
  }

  /** Sends requests with these cookies at once; what comes back must be what the oracle says for one of their orders. */
  async #checked(sent: string[], deliver: (received: (string | undefined)[]) => void): Promise<void> {
    const names = sent.map(() => `w${this.#requests++}`)
    const generations = sent.map((cookie) => this.cookies.indexOf(cookie))
    const visitors = sent.map((cookie) => new Visitor(server, cookie))
    const answers = await Promise.all(visitors.map((visitor, i) => visitor.get(`/write/${names[i]}`)))
    const received = visitors.map((visitor, i) => (visitor.cookie === sent[i] ? undefined : visitor.cookie))
    for (const cookie of received) if (cookie !== undefined && !this.cookies.includes(cookie)) this.cookies.push(cookie)
    const actual = answers.map((answer, i) => ({
      isServed: answer.body.isServed as boolean,
      cookie: received[i] === undefined ? undefined : this.cookies.indexOf(received[i]),
    }))

    const forth = this.#outcomes(generations)
    const back = this.#outcomes(generations.toReversed())
    const orders = [forth.outcomes, back.outcomes.toReversed()]
    const matches = orders.some((expected) => isEqual(expected, actual))
    // One request has ended the session while the other was under way: that one may be served, without a cookie.
    const isCut =
      !this.oracle.isOver && forth.oracle.isOver && actual.every((outcome, i) => mayBeCut(orders, outcome, i))
    if (!matches && !isCut) expect(actual).toEqual(forth.outcomes)
    Object.assign(this.oracle, isEqual(forth.outcomes, actual) ? forth.oracle : back.oracle)
    names.forEach((name, i) => {
      if (actual[i]?.isServed) this.written.push(name)
    })
    deliver(received)
  }

  #outcomes(generations: number[]): { outcomes: Outcome[]; oracle: Oracle } {
    const oracle = this.oracle.copy()
    return { outcomes: generations.map((generation) => oracle.request(generation)), oracle }
  }

  /** Expects what must hold at the end of any run. */
  async check(): Promise<void> {
    if (this.oracle.isOver) {
      expect(await client.exists(this.key)).toBe(0)
      return
    }
    // No write is lost, under whichever id it was made.
    const held = Object.keys((await client.hgetall(this.key)) ?? {})
    expect(held).toEqual(expect.arrayContaining(this.written))
    // The rightful client comes once or twice more; after the grace, one of all ids is left.
    await this.act({ kind: 'browse', tabs: 1, lost: [false] })
    await this.act({ kind: 'browse', tabs: 1, lost: [false] })
    if (this.oracle.isOver) return
    await this.act({ kind: 'pass', seconds: 41 })
    const alive = await Promise.all(
      this.cookies.map((cookie) => store.exists(new Visitor(server, cookie).sid).then(Number)),
    )
    expect(alive.reduce((sum, one) => sum + one, 0)).toBe(1)
  }
}

const isEqual = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

function mayBeCut(orders: Outcome[][], actual: Outcome, i: number): boolean {
  if (orders.some((outcomes) => isEqual(outcomes[i], actual))) return true
  return actual.cookie === undefined && orders.some((outcomes) => outcomes[i]?.isServed === actual.isServed)
}

test('requests, lost responses, stolen ids and time in any order: every id may do what the rules say, and no write is lost', async () => {
  const seen = { reuse: store.counters.reuse, renewed: store.counters.renewed }
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 24, size: 'max' }), async (actions) => {
      const world = new World()
      await world.login()
      for (const step of actions) await world.act(step)
      await world.check()
    }),
    { numRuns: 100 },
  )
  // The runs put every rule to use.
  expect(store.counters.reuse).toBeGreaterThan(seen.reuse)
  expect(store.counters.renewed).toBeGreaterThan(seen.renewed + 20)
})
