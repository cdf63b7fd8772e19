import type { ServerResponse } from 'node:http'
import { beginPage } from '../../pages/responses.js'
import { Feed, type FeedEntry } from '../feed.js'
import { type FeedForm, followResponse } from '../follow-response.js'
import type { Limits } from '../limits.js'
import type { ResolvedAdminRouter } from '../options.js'
import { entryItem, eventsPage, livePage } from '../pages/events-page.js'
import { POLICY } from '../pages/frame.js'
import type { Answer, Route, Visit } from '../visit.js'

/**
 * What happens to sessions: server-sent events, a page with the last ones, and a page that goes on growing, which needs
 * no script.
 */
export function eventsRoute(router: ResolvedAdminRouter, limits: Limits): Route {
  const feed = new Feed(router.access, limits)
  return {
    action: 'events',
    answer(visit) {
      const accept = visit.req.headers.accept ?? ''
      const isStream = /\btext\/event-stream\b/i.test(accept)
      if (visit.isHtml && !isStream) {
        if (visit.query.has('live')) return live(router, visit, feed, limits)
        const recent = feed.recent()
        return { json: recent, page: () => eventsPage(visit, recent) }
      }
      if (!isStream && /\bapplication\/json\b/i.test(accept)) {
        const { entries, since } = feed.recent()
        return { json: { since, events: entries.map(nameless) }, isJsonOnly: true }
      }
      return stream(visit, feed, limits)
    },
  }
}

/** Browsers try again after this many milliseconds. */
const RETRY_MS = 3000

const EVENTS: FeedForm = {
  head: `retry: ${RETRY_MS}\n\n`,
  entry: (entry) => `event: ${entry.event}\ndata: ${JSON.stringify(nameless(entry))}\n\n`,
  beat: ': still here\n\n',
  tail: '',
}

function nameless({ id: _, ...entry }: FeedEntry): object {
  return entry
}

function beginFeed(res: ServerResponse): void {
  // Whatever compresses a response keeps what a slow visitor does not take, without a limit.
  res.setHeader('Cache-Control', 'no-store, no-transform')
  // nginx would gather what is sent.
  res.setHeader('X-Accel-Buffering', 'no')
}

function stream({ res }: Visit, feed: Feed, limits: Limits): Answer {
  const begin = () => {
    res.statusCode = 200
    res.setHeader('Content-Type', 'text/event-stream; charset=utf-8')
    res.setHeader('X-Content-Type-Options', 'nosniff')
    beginFeed(res)
    res.appendHeader('Vary', 'Accept')
  }
  return { stream: () => followResponse(res, feed, limits, EVENTS, begin) }
}

function live(router: ResolvedAdminRouter, visit: Visit, feed: Feed, limits: Limits): Answer {
  const { res } = visit
  const [head, tail] = livePage(router, visit, limits)
  const form: FeedForm = { head, entry: (entry) => `${entryItem(entry, visit.base).text}\n`, beat: '<!-- -->\n', tail }
  const begin = () => {
    beginPage(res, POLICY)
    beginFeed(res)
  }
  return { stream: () => followResponse(res, feed, limits, form, begin) }
}
