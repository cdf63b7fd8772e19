import { setTimeout as sleep } from 'node:timers/promises'
import { type Failure, failureOf } from './failure.js'

/** Sends requests at intervals without waiting for earlier ones, as visitors do. */
export interface Traffic {
  /** Number of successful requests so far. */
  readonly succeeded: number
  readonly failures: readonly Failure[]
  /** Resolves after this many more successful requests in a row. */
  goesWell(times?: number): Promise<void>
  /** Sends no more requests, and waits for those that are pending. */
  stop(): Promise<Outage>
}

export interface Outage {
  succeeded: number
  failures: readonly Failure[]
  /** Milliseconds from the start of the first failed request to the start of the last one; 0 if none failed. */
  windowMs: number
  /** Milliseconds that the slowest request took, successful or not. */
  slowestMs: number
  /** The longest time, in milliseconds, for which this process was not let run when it wanted to. */
  lagMs: number
}

export function traffic(request: (i: number) => Promise<unknown>, everyMs = 10): Traffic {
  const failures: Failure[] = []
  const under = new Set<Promise<void>>()
  let [succeeded, inARow, slowestMs, lagMs, isOver] = [0, 0, 0, 0, false]
  let first: number | undefined
  let last = 0

  async function one(i: number): Promise<void> {
    const start = performance.now()
    const failure = await failureOf(request(i))
    slowestMs = Math.max(slowestMs, performance.now() - start)
    if (failure === undefined) {
      succeeded += 1
      inARow += 1
      return
    }
    inARow = 0
    failures.push(failure)
    first = Math.min(first ?? start, start)
    last = Math.max(last, start)
  }

  const running = (async () => {
    for (let i = 0; !isOver; i++) {
      const sent = one(i)
      under.add(sent)
      void sent.then(() => under.delete(sent))
      const due = performance.now() + everyMs
      await sleep(everyMs)
      lagMs = Math.max(lagMs, performance.now() - due)
    }
    await Promise.all(under)
  })()

  return {
    get succeeded() {
      return succeeded
    },
    failures,
    async goesWell(times = 50) {
      const deadline = performance.now() + 20_000
      inARow = 0
      while (inARow < times) {
        if (performance.now() > deadline) throw new Error(`no ${times} requests in a row have gone well: ${inARow}`)
        await sleep(everyMs)
      }
    },
    async stop() {
      isOver = true
      await running
      return { succeeded, failures, windowMs: first === undefined ? 0 : last - first, slowestMs, lagMs }
    },
  }
}
