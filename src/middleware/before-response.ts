import type { ServerResponse } from 'node:http'
import { HeldResponse } from './held/held-response.js'
import type { SessionRequest } from './session-request.js'
import { isStandIn } from './stand-in.js'

/**
 * What may have to happen before the first byte of a response leaves, in this order: it is refused; a session gets its
 * new id before it is saved, it is decided what cookie may leave, the session is saved before the visitor can come back
 * with it; one that nobody used is dropped.
 */
const PHASES = ['refuse', 'rotate', 'cookie', 'save', 'drop'] as const
export type Phase = (typeof PHASES)[number]

/**
 * Returns nothing if there is nothing to do; the response then goes out untouched, streaming included.
 *
 * @param isLast the application has ended its response: what it does with the session from now on does not count
 */
export type Work = (isLast: boolean) => Promise<void> | undefined

const pending = new WeakMap<ServerResponse, Partial<Record<Phase, Work>>>()

/**
 * Runs `work` once, right before the first header of the response would leave, and holds the response until it is done.
 * If it fails, nothing of the response leaves, the request goes on without a session, so that no cookie is sent either,
 * and the error goes to the application's error handlers.
 *
 * At an upgrade there is no response to hold: applications pass a stand-in, and nothing is done, as `session()` does
 * nothing there.
 */
export function beforeResponse(
  req: SessionRequest,
  res: ServerResponse,
  next: (err?: unknown) => void,
  phase: Phase,
  work: Work,
): void {
  if (isStandIn(res)) return
  let works = pending.get(res)
  if (works === undefined) {
    const added: Partial<Record<Phase, Work>> = {}
    works = added
    pending.set(res, works)
    new HeldResponse(req, res, next, (isLast) => runInOrder(inOrder(added), isLast))
  }
  works[phase] = work
}

function inOrder(works: Partial<Record<Phase, Work>>): Work[] {
  return PHASES.map((phase) => works[phase]).filter((work) => work !== undefined)
}

/** Synchronous as long as nothing has to be done. */
function runInOrder([work, ...rest]: Work[], isLast: boolean): Promise<void> | undefined {
  if (work === undefined) return undefined
  const done = work(isLast)
  if (done === undefined) return runInOrder(rest, isLast)
  return done.then(async () => {
    for (const later of rest) await later(isLast)
  })
}
