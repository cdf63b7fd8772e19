import { STATUS_CODES } from 'node:http'
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express'
import { isSessionOver } from './ended-session.js'
import { localPath, pageOfForm, via } from './local-path.js'
import { showPage } from './pages.js'

interface ErrorPage {
  title: string
  text: string
}

const PAGES: Record<number, ErrorPage> = {
  400: { title: 'That did not arrive in one piece', text: 'The request could not be read. Please try again.' },
  403: {
    title: 'This page was open for too long',
    text: 'Its form belongs to an earlier visit, so nothing was changed. Please go back, reload the page and try again.',
  },
  404: { title: 'Nothing steeping here', text: 'There is no page at this address.' },
  405: { title: 'Not served that way', text: 'This shop knows GET, HEAD and POST.' },
  413: { title: 'That is too much at once', text: 'The request was larger than anything in this shop.' },
  415: { title: 'That is not a form of ours', text: 'The shop reads forms as browsers send them, in UTF-8.' },
  500: { title: 'We spilled something', text: 'An error on our side. It has been written down.' },
  503: {
    title: 'The kettle is off',
    text: 'Sessions cannot be reached right now. Nobody is logged out by that. Please try again in a moment.',
  },
}

const SESSION_OVER: ErrorPage = {
  title: 'Your session has ended',
  text: 'It was logged out on another device, or nobody used it for a while. Nothing was changed: log in, and try again.',
}

export const notFound: RequestHandler = (_req, res) => sendError(res, 404, PAGES[404]!)

/** The page says what to do, and the log says what happened. Neither contains data of the visitor. */
export const handleError: ErrorRequestHandler = (error, req, res, next) => {
  const status = statusOf(error)
  if (status >= 500) console.error(`${req.method} ${req.path}: ${error?.code ?? error?.name}: ${error?.message}`)
  // Part of a page has been sent: only a closed connection tells the browser that it is incomplete.
  if (res.headersSent) return next(error)
  if (error?.code === 'EBADCSRFTOKEN' && isSessionOver(req)) return sendSessionOver(req, res)
  sendError(res, status, PAGES[status] ?? { title: `${STATUS_CODES[status]}`, text: PAGES[400]!.text })
}

/** Returns the status of an error that says whose fault it is: the visitor's (4xx), or that Redis is away. Otherwise 500. */
function statusOf(error: { status?: unknown; statusCode?: unknown } | undefined): number {
  const status = Number(error?.status ?? error?.statusCode)
  return (status >= 400 && status < 500 && STATUS_CODES[status] !== undefined) || status === 503 ? status : 500
}

/** The form came from a session that is over: the visitor has to know, because they may think that they are logged in. */
function sendSessionOver(req: Request, res: Response): void {
  if (req.path === '/logout') res.redirect(303, '/?bye=1')
  else sendError(res, 401, SESSION_OVER, { href: via('/login', pageOfForm(req.path)), text: 'Log in' })
}

function sendError(res: Response, status: number, page: ErrorPage, go = wayOn(res.req, status)): void {
  res.status(status).set('Cache-Control', 'no-store')
  if (status === 405) res.set('Allow', 'GET, HEAD, POST')
  if (status === 503) res.set('Retry-After', '5')
  if (res.req.accepts(['html', 'json']) === 'json') res.json({ error: page.title })
  else showPage(res, 'error', { ...page, status, go })
}

function wayOn(req: Request, status: number): { href: string; text: string } {
  if (status !== 503) return { href: '/', text: 'To the shop' }
  return { href: req.method === 'GET' ? localPath(req.path, '/') : '/', text: 'Try again' }
}
