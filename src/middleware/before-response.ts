import type { ServerResponse } from 'node:http'
import { HeldResponse } from './held/held-response.js'
import type { SessionRequest } from './session-request.js'
import { isStandIn } from './stand-in.js'

/**
 * The work that may be due before the first byte of a response leaves, in this order:
 * - refuse: the response is refused
 * - rotate: a login gives the session its new id, which has to happen before the save
 * - cookie: decides which session cookie may leave
 * - save: saves the session, so that the visitor's next request finds it
 * - device: offers the browser to register a key, once the session is saved
 * - drop: drops a new session that nobody used
 * - logout: expires the cookies of a session that the request has ended
 * - cache: keeps the pages of users out of caches
 */
const PHASES = ['refuse', 'rotate', 'cookie', 'save', 'device', 'drop', 'logout', 'cache'] as const
export type Phase = (typeof PHASES)[number]

/**
 * Returns nothing if there is nothing to do; the response then goes out untouched, streaming included.
 *
 * @param isLast the application has ended its response: what it does with the session from now on does not count
 */
export type Work = (isLast: boolean) => Promise<void> | undefined

interface Plan {
  works: Partial<Record<Phase, Work>>
  /** Added to the response once all works are done. */
  headers: [name: string, value: string][]
}

const plans = new WeakMap<ServerResponse, Plan>()

/**
 * Runs `work` once, right before the first header of the response would leave, and holds the response until it is done.
 * If the work fails, nothing of the response leaves. The request then goes on without a session, so that no cookie is
 * sent, and the error goes to the application's error handlers.
 *
 * An upgrade has no response to hold. Applications pass a stand-in there, and this does nothing, as `session()` does.
 */
export function beforeResponse(
  req: SessionRequest,
  res: ServerResponse,
  next: (err?: unknown) => void,
  phase: Phase,
  work: Work,
): void {
  if (isStandIn(res)) return
  let plan = plans.get(res)
  if (plan === undefined) {
    const { works, headers }: Plan = { works: {}, headers: [] }
    plan = { works, headers }
    plans.set(res, plan)
    const work = (isLast: boolean) => runInOrder(worksInOrder(works), isLast)
    new HeldResponse(req, res, next, work, () => {
      for (const [name, value] of headers.splice(0)) res.appendHeader(name, value)
    })
  }
  plan.works[phase] = work
}

/** Adds a header that a `work` has found to be due. A response that fails does not get it. */
export function addHeader(res: ServerResponse, name: string, value: string): void {
  plans.get(res)?.headers.push([name, value])
}

function worksInOrder(works: Partial<Record<Phase, Work>>): Work[] {
  return PHASES.map((phase) => works[phase]).filter((work) => work !== undefined)
}

/** Stays synchronous while there is nothing to do, so that the response is not held. */
function runInOrder([work, ...rest]: Work[], isLast: boolean): Promise<void> | undefined {
  if (work === undefined) return undefined
  const done = work(isLast)
  if (done === undefined) return runInOrder(rest, isLast)
  return done.then(async () => {
    for (const later of rest) await later(isLast)
  })
}
