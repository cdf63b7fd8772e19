import type { ErrorRequestHandler, RequestHandler } from 'express'
import { showPage } from './pages.js'

const PAGES: Record<number, { title: string; text: string }> = {
  400: { title: 'That did not arrive in one piece', text: 'The request could not be read. Please try again.' },
  403: {
    title: 'This page was open for too long',
    text: 'Its form belongs to an earlier visit, so nothing was changed. Please go back, reload the page and try again.',
  },
  404: { title: 'Nothing steeping here', text: 'There is no page at this address.' },
  413: { title: 'That is too much at once', text: 'The request was larger than anything in this shop.' },
  500: { title: 'We spilled something', text: 'An error on our side. It has been written down.' },
  503: { title: 'The kettle is off', text: 'Sessions cannot be reached right now. Please try again in a moment.' },
}

export const notFound: RequestHandler = (_req, res) => sendError(res, 404)

/** The page says what to do, and the log says what happened. Neither contains data of the visitor. */
export const handleError: ErrorRequestHandler = (error, req, res, next) => {
  const status = PAGES[error?.status] ? (error.status as number) : 500
  if (status >= 500) console.error(`${req.method} ${req.path}: ${error?.code ?? error?.name}: ${error?.message}`)
  // Part of a page has been sent: only a closed connection tells the browser that it is incomplete.
  if (res.headersSent) return next(error)
  sendError(res, status)
}

function sendError(res: Parameters<RequestHandler>[1], status: number): void {
  const page = PAGES[status]!
  res.status(status).set('Cache-Control', 'no-store')
  if (status === 503) res.set('Retry-After', '5')
  if (res.req.accepts(['html', 'json']) === 'json') res.json({ error: page.title })
  else showPage(res, 'error', { ...page, status })
}
