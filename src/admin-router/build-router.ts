import type { ServerResponse } from 'node:http'
import { SessionStoreError } from '../errors.js'
import type { AuditEntry } from '../events.js'
import { HttpError } from '../http-error.js'
import { isHandle } from '../ids/handle.js'
import type { Middleware, SessionRequest } from '../middleware/session-request.js'
import { baseOf, pathOf } from '../pages/paths.js'
import { redirect, sendJson, sendPage } from '../pages/responses.js'
import { isSameOrigin } from '../pages/same-origin.js'
import { Answered, admit } from './admit.js'
import { audit } from './audit.js'
import type { Limits } from './limits.js'
import { type AdminRouterOptions, checkedAdminRouter, type ResolvedAdminRouter } from './options.js'
import { errorPage } from './pages/error-page.js'
import { POLICY, pageOf } from './pages/frame.js'
import { routesOf } from './routes.js'
import type { Answer, Route, Visit } from './visit.js'

/** @throws TypeError for unknown or malformed options */
export function buildRouter(options: AdminRouterOptions, limits: Limits): Middleware {
  const router = checkedAdminRouter(options)
  const routes = routesOf(router, limits)

  return function adminRouter(request, res, next) {
    const req = request as SessionRequest
    const method = req.method === 'HEAD' ? 'GET' : req.method
    const { pattern, handle } = patternOf(pathOf(req.url))
    const route = routes.get(`${method} ${pattern}`)
    if (route === undefined) return next()
    const visit: Visit = {
      ...{ req, res, who: undefined, handle, about: {} },
      query: new URLSearchParams(req.url?.split('?').slice(1).join('?')),
      isHtml: /\btext\/html\b/i.test(req.headers.accept ?? ''),
      base: router.base ?? baseOf(req),
    }
    serve(router, limits, route, visit).catch((err: unknown) => {
      // The application's error handler answers everything else, with its own page or in its log.
      if (res.headersSent) res.destroy()
      else if (isForVisitor(err)) sendError(router, visit, err)
      else next(err)
    })
  }
}

/** Takes the handle out of a path: `/sessions/:handle`, or `/sessions/:handle/end`. */
function patternOf(path: string): { pattern: string; handle: string } {
  const [, first, handle, ...rest] = path.replace(/(?<=.)\/$/, '').split('/')
  if (first !== 'sessions' || handle === undefined) return { pattern: path.replace(/(?<=.)\/$/, ''), handle: '' }
  return { pattern: ['', first, ':handle', ...rest].join('/'), handle }
}

async function serve(router: ResolvedAdminRouter, limits: Limits, route: Route, visit: Visit): Promise<void> {
  const note = (outcome: AuditEntry['outcome'], why?: string) => {
    const { who, about } = visit
    const action = about.action ?? route.action
    if (action === undefined) return Promise.resolve()
    const entry = { who, action, outcome, ...(why !== undefined && { why }), ...about }
    return audit(router, entry, limits.applicationMs)
  }
  let answer: Answer
  try {
    if (isHandle(visit.handle)) visit.about.handle = visit.handle
    visit.who = await admit(router, visit.req, visit.res, limits.applicationMs)
    assertMayChange(router, route, visit)
    answer = await route.answer(visit)
  } catch (err) {
    await note(isRefusal(visit, err) ? 'refused' : 'failed', whyOf(visit, err))
    if (err instanceof Answered) return
    throw err
  }
  // Nobody looks at anything, nor ends it, unnoticed: if the entry is not taken, there is no answer.
  await note('done')
  send(router, visit, answer)
}

const NOT_SAME_ORIGIN = 'this does not come from a page of this site (Sec-Fetch-Site or Origin)'
const READ_ONLY = 'sessions can only be looked at here'

/** @throws HttpError 403 */
function assertMayChange({ readOnly }: ResolvedAdminRouter, { change }: Route, { req }: Visit): void {
  if (change === 'does' && !isSameOrigin(req)) throw new HttpError(403, NOT_SAME_ORIGIN)
  if (change !== undefined && readOnly) throw new HttpError(403, READ_ONLY)
}

function isRefusal({ who }: Visit, err: unknown): boolean {
  return who === undefined || (err as { status?: unknown }).status === 403
}

/** Why a request was refused or has failed: a code, or words of this router. Other messages may carry anything. */
function whyOf({ who }: Visit, err: unknown): string {
  if (who === undefined) return 'not authorized'
  if (err instanceof SessionStoreError) return err.code
  return err instanceof HttpError ? err.message : 'error'
}

type ForVisitor = (HttpError | SessionStoreError) & { status: number }

/** Whether somebody may read the error: a refusal of the router, or that Redis is away. */
function isForVisitor(err: unknown): err is ForVisitor {
  return err instanceof SessionStoreError || (err instanceof HttpError && err.expose)
}

function sendError(router: ResolvedAdminRouter, visit: Visit, err: ForVisitor): void {
  const { res, isHtml } = visit
  if (isHtml) sendPage(res, errorPage(router, visit, err), err.status, POLICY)
  else sendJson(res, err.status, { error: err.message, ...(err instanceof SessionStoreError && { code: err.code }) })
}

function send(router: ResolvedAdminRouter, visit: Visit, answer: Answer): void {
  const { res, isHtml, base } = visit
  if (isClosed(res)) return
  if ('stream' in answer) answer.stream()
  else if ('isJsonOnly' in answer) sendJson(res, 200, answer.json)
  else if (!isHtml) sendJson(res, answer.status ?? 200, answer.json)
  else if ('next' in answer) redirect(res, `${base}${answer.next}`)
  else sendPage(res, pageOf(router, visit, answer.page()), answer.status, POLICY)
}

const isClosed = (res: ServerResponse) => res.destroyed || res.writableEnded
