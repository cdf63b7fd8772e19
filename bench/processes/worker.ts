import { tracingChannel } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Flights } from '../../test/support/flights.js'
import { type Opened, type Place, Skip } from '../contenders/contender.js'
import { contenderNamed } from '../contenders/index.js'
import { type Content, type CookieKind, sidOf } from '../contents.js'
import { flightsOf } from './flights.js'
import { type Operations, operationsOf, type Work } from './operations.js'
import { answerCalls } from './remote.js'
import { serve } from './site.js'

/** The process of one contender, whose CPU time and memory are measured. */
let opened: Opened
let operations: Operations
const operationsOfStores = tracingChannel('connect-redis-hash:operation')
const heard = () => undefined
let site: { port: number; server: Server } | undefined

/**
 * `cpu`: CPU time of all threads per operation, in microseconds. `operations`: the total number, including unmeasured
 * ones.
 */
export interface Cost {
  cpu: number
  perSecond: number
  operations: number
}

const handlers = {
  /** Resolves the reason if the contender cannot take part, else undefined. */
  async open({ contender, place }: { contender: string; place: Place }): Promise<string | undefined> {
    try {
      opened = await contenderNamed(contender).open(place)
    } catch (error) {
      if (error instanceof Skip) return error.message
      throw error
    }
    return undefined
  },

  async seed({ content, cookie, from, to }: { content: Content; cookie: CookieKind; from: number; to: number }) {
    operations = operationsOf(opened, content, cookie)
    for (let at = from; at < to; at += 50) {
      const batch = Array.from({ length: Math.min(50, to - at) }, (_, i) => operations.seed(at + i))
      await Promise.all(batch)
    }
  },

  /** Uses sessions that exist already. */
  use({ content }: { content: Content }) {
    operations = operationsOf(opened, content, 'session cookie')
  },

  async cost(params: { work: Work; sessions: number; concurrency: number; ms: number }): Promise<Cost> {
    const { work, sessions, concurrency, ms } = params
    const share = Math.floor(sessions / concurrency)
    let count = 0
    const keepBusy = (until: number) =>
      Promise.all(
        Array.from({ length: concurrency }, async (_, lane) => {
          // Each lane has its own sessions, and accesses them in an order that defeats caches.
          for (let n = lane * 7919; performance.now() < until; n += 7919) {
            await operations[work](lane * share + (n % share))
            count += 1
            // A store that answers without waiting would leave no turn to anything else.
            if (count % 1000 === 0) await nextTurn()
          }
        }),
      )
    // While other contenders ran, V8 has released memory that it needs again now.
    await keepBusy(performance.now() + ms / 2)
    const unmeasured = count
    count = 0
    const start = performance.now()
    const before = process.cpuUsage()
    await keepBusy(start + ms)
    const { user, system } = process.cpuUsage(before)
    return {
      cpu: (user + system) / count,
      perSecond: (count * 1000) / (performance.now() - start),
      operations: count + unmeasured,
    }
  },

  /** Subscribes to operations, or no longer, as telemetry does. */
  listen({ isOn }: { isOn: boolean }) {
    if (isOn) operationsOfStores.asyncEnd.subscribe(heard)
    else operationsOfStores.asyncEnd.unsubscribe(heard)
  },

  /** Nanoseconds that it takes to ask whether anybody listens, as each operation of a store does. */
  ask(_: null): number {
    const { start, end, asyncStart, asyncEnd, error } = operationsOfStores
    const times = 5_000_000
    let count = 0
    const begin = process.hrtime.bigint()
    for (let i = 0; i < times; i++) {
      if (
        start.hasSubscribers ||
        asyncEnd.hasSubscribers ||
        error.hasSubscribers ||
        end.hasSubscribers ||
        asyncStart.hasSubscribers
      )
        count += 1
    }
    if (count > 0) throw new Error('somebody listens')
    return Number(process.hrtime.bigint() - begin) / times
  },

  /** Opens the contender again, behind a proxy in this process, and counts the flights of each kind of request. */
  async flights({ contender, place }: { contender: string; place: Place }): Promise<Record<string, number | string>> {
    const flights = new Flights()
    const redisPort = await flights.lineTo({ port: place.redisPort, host: '127.0.0.1' })
    opened = await contenderNamed(contender).open({ ...place, redisPort, isSlow: true })
    const counts = await flightsOf(flights, opened)
    const everywhere = endAllOf(contender)
    if (everywhere === undefined) return { ...counts, everywhere: '-' }
    for (let trial = 0; trial < 2; trial++) {
      await makeSessionsOf('ada', 4)
      counts.everywhere = (await flights.during(everywhere)).needed.length
    }
    return counts
  },

  async once({ work, i }: { work: Work; i: number }) {
    await operations[work](i)
  },

  /** @param params.isBare an application without sessions, whatever the contender */
  async serve({ isBare }: { isBare: boolean }): Promise<number> {
    if (opened.store === undefined) throw new Error('this contender is no store')
    site ??= await serve(isBare ? undefined : opened.store)
    return site.port
  },

  /** CPU time so far, in microseconds. */
  cpu(_: null): number {
    const { user, system } = process.cpuUsage()
    return user + system
  },

  /** Used heap in bytes, after a garbage collection. */
  async heap(_: null): Promise<number> {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.()
      await nextTurn()
    }
    return process.memoryUsage().heapUsed
  },

  /** Ends all sessions of one user, who gets new ones each time; resolves the milliseconds of each round. */
  async revoke({ rounds, each }: { rounds: number; each: number }): Promise<number[]> {
    const store = opened.store as unknown as { destroyBy?(index: string, value: string): Promise<number> }
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      await makeSessionsOf('ada', each)
      const start = performance.now()
      const ended = store.destroyBy === undefined ? await searchAndDestroy('ada') : await store.destroyBy('user', 'ada')
      times.push(performance.now() - start)
      if (ended !== each) throw new Error(`${ended} sessions were ended, not ${each}`)
    }
    return times
  },
}

/** Ends all sessions of the user "ada"; undefined if the contender can do so, but has been opened without an index. */
function endAllOf(contender: string): (() => Promise<number>) | undefined {
  const store = opened.store as unknown as { destroyBy?(index: string, value: string): Promise<number> }
  if (store.destroyBy === undefined) return () => searchAndDestroy('ada')
  return contender === 'ours, user index' ? async () => (await store.destroyBy?.('user', 'ada')) ?? 0 : undefined
}

async function makeSessionsOf(userId: string, count: number): Promise<void> {
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
  for (let i = 0; i < count; i++) {
    await opened.store?.set(`mine-${sidOf(i)}`, { cookie, userId, name: 'Ada', visits: 17 } as never)
  }
}

/** Ends a user's sessions through a store without an index: reads all sessions. */
async function searchAndDestroy(userId: string): Promise<number> {
  const { store } = opened
  const all = await new Promise<{ id: string; userId?: string }[]>((resolve, reject) => {
    store?.all?.((error, sessions) => (error ? reject(error) : resolve(sessions as never)))
  })
  const found = all.filter((session) => session.userId === userId)
  const ending = found.map(
    ({ id }) =>
      new Promise<void>((resolve, reject) => {
        store?.destroy(id, (error) => (error ? reject(error) : resolve()))
      }),
  )
  await Promise.all(ending)
  return found.length
}

export type WorkerHandlers = typeof handlers
answerCalls(handlers)
