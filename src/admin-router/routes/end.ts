import { endThese } from '../../admin/end-these.js'
import { HttpError } from '../../http-error.js'
import { endSessions } from '../../indexes/destroy-by.js'
import { abandonSession } from '../../middleware/session-request.js'
import { readBody } from '../../pages/read-body.js'
import { ScanPlace } from '../../redis/scan-place.js'
import { audit } from '../audit.js'
import type { Budget } from '../budget.js'
import { type Asked, entryAsked, entryInQuery, queryOf } from '../entry-asked.js'
import type { Limits } from '../limits.js'
import { listSessions } from '../list-sessions.js'
import { locate, noSession } from '../locate.js'
import type { ResolvedAdminRouter } from '../options.js'
import { confirmPage } from '../pages/confirm-page.js'
import { isOverWithin, type Run, startRun } from '../run.js'
import type { Answer, Route, Visit } from '../visit.js'

/** Ends one session, those of an index value, or all; and asks first, for browsers. */
export function endRoutes(router: ResolvedAdminRouter, budget: Budget, limits: Limits): [string, Route][] {
  const end = new End(router, budget, limits)
  return [
    ['GET /sessions/:handle/end', { action: 'show', change: 'asks', answer: (visit) => end.askOne(visit) }],
    ['POST /sessions/:handle/end', { action: 'end', change: 'does', answer: (visit) => end.endOne(visit) }],
    ['GET /end', { action: 'list', change: 'asks', answer: (visit) => end.askMany(visit) }],
    ['POST /end', { action: 'end-by', change: 'does', answer: (visit) => end.endMany(visit) }],
  ]
}

const WHICH = 'say which sessions: "index" and "value", or "all" as true'

class End {
  readonly #router: ResolvedAdminRouter
  readonly #budget: Budget
  readonly #limits: Limits
  /** Ends all sessions at this moment. */
  #all: Run | undefined
  #isClosed = false

  constructor(router: ResolvedAdminRouter, budget: Budget, limits: Limits) {
    this.#router = router
    this.#budget = budget
    this.#limits = limits
    router.access.closers.add(() => {
      this.#isClosed = true
    })
  }

  async askOne(visit: Visit): Promise<Answer> {
    const { access } = this.#router
    const asked = entryInQuery(access, visit)
    await locate(access, this.#budget, visit.res, visit.handle, asked?.entry)
    const { handle } = visit
    const action = `sessions/${handle}/end${queryOf(asked)}`
    const back = `sessions/${handle}${queryOf(asked)}`
    const question = { what: { handle }, action, back, fields: {}, count: 1, isWhole: true }
    return { json: { found: 1, complete: true }, page: () => confirmPage(visit, question) }
  }

  async endOne(visit: Visit): Promise<Answer> {
    const { access } = this.#router
    const asked = entryInQuery(access, visit)
    const storedId = await locate(access, this.#budget, visit.res, visit.handle, asked?.entry)
    const ended = await endThese(access, [storedId])
    if (ended === 0) throw noSession()
    visit.about.ended = ended
    await this.#forgetOwn(visit)
    return { json: { ended }, next: `sessions${queryOf(asked, { ended: String(ended) })}` }
  }

  async askMany(visit: Visit): Promise<Answer> {
    const { access } = this.#router
    const asked = entryInQuery(access, visit)
    if (asked === undefined && visit.query.get('all') !== 'true') throw new HttpError(400, WHICH)
    const { total, complete } = await listSessions(access, this.#budget, visit.res, asked?.entry, 1)
    const what = asked ?? { all: true as const }
    const fields: Record<string, string> =
      asked === undefined ? { all: 'true' } : { index: asked.index, value: asked.value }
    const question = { what, action: 'end', back: `sessions${queryOf(asked)}`, fields, count: total, isWhole: complete }
    return { json: { found: total, complete }, page: () => confirmPage(visit, question) }
  }

  async endMany(visit: Visit): Promise<Answer> {
    const { access } = this.#router
    const body = await readBody(visit.req, ['index', 'value', 'all'], `the body must ${WHICH}`)
    const isAll = body.all === true || body.all === 'true'
    if (isAll) visit.about.action = 'end-all'
    const asked = entryAsked(access, body.index, body.value)
    if (isAll === (asked !== undefined)) throw new HttpError(400, `the body must ${WHICH}, not both`)
    if (asked !== undefined) Object.assign(visit.about, { index: asked.index, value: asked.value })
    const run = asked === undefined ? this.#endAll() : this.#endBy(asked)
    const isOver = await isOverWithin(run, this.#limits.endMs)
    visit.about.ended = run.ended
    if (isOver) await this.#forgetOwn(visit)
    else this.#goOn(visit, run)
    const { ended } = run
    const more: Record<string, string> = isOver ? { ended: String(ended) } : { ending: String(ended) }
    return { status: isOver ? 200 : 202, json: { ended, complete: isOver }, next: `sessions${queryOf(asked, more)}` }
  }

  #endBy({ index, value, entry }: Asked): Run {
    const { access, store } = this.#router
    return startRun(async (run) => {
      // A digest is what pages show of a long value: nobody but the index knows the value.
      run.ended =
        value === entry.value && value.startsWith('#')
          ? await endSessions(access.context, access.keyspace, entry, ALL_OF_THEM, access.within)
          : await store.destroyBy(index, value)
    })
  }

  /** Requests that ask for it while it is being done wait for its result. */
  #endAll(): Run {
    const { access } = this.#router
    this.#all ??= startRun(async (run) => {
      const isStopped = () => this.#isClosed
      const place = new ScanPlace({
        get aborted() {
          return isStopped()
        },
      })
      try {
        for await (const batch of access.keyspace.candidates(place)) run.ended += await endThese(access, batch)
      } finally {
        this.#all = undefined
      }
    })
    return this.#all
  }

  /** Tells how it ends what the answer did not wait for. */
  #goOn({ who, about }: Visit, run: Run): void {
    about.outcome = 'begun'
    const { outcome: _, action = 'end-by', ...rest } = { ...about }
    const tell = (outcome: 'done' | 'failed', why?: string) => {
      const entry = { who, action, ...rest, outcome, ended: run.ended, ...(why !== undefined && { why }) }
      // Nobody waits for the answer any more.
      audit(this.#router, entry, this.#limits.applicationMs).catch(() => undefined)
    }
    run.done.then(
      () => tell('done'),
      (err: unknown) => tell('failed', String((err as { code?: unknown }).code ?? 'error')),
    )
  }

  /**
   * If it was the session of this very request, the rest of the request must neither save it nor send its cookie.
   */
  async #forgetOwn({ req }: Visit): Promise<void> {
    const { store } = this.#router
    if (req.sessionStore !== store || req.sessionID === undefined) return
    if (!(await store.exists(req.sessionID))) abandonSession(req)
  }
}

const ALL_OF_THEM = { except: [], handle: undefined, thorough: false }
