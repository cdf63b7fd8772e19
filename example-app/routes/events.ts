import type { RedisStore } from 'connect-redis-hash'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { type EventLog, type LogEntry, short } from '../event-log.js'
import { showPage } from '../pages.js'

const STREAM = '/events/stream'
const MAX_FOLLOWERS = 50
const BEAT_MS = 15_000
/** Bytes that may wait for a visitor who does not read. More ends the stream; the browser comes back for the rest. */
const MAX_WAITING = 64 * 1024

export function eventRoutes(log: EventLog, store: RedisStore): Router {
  const router = Router()
  router.get('/events', (req, res) => {
    const own = store.handleOf(req.session)
    showPage(res, 'events', {
      title: 'Live log',
      entries: [...log.since()].reverse(),
      own: own && short(own),
      stream: STREAM,
    })
  })
  return router
}

/**
 * Sends events as they happen (server-sent events). Mount it before the session: everybody may read the log, and it goes
 * on while Redis is away.
 */
export class EventStreams {
  readonly #log: EventLog
  readonly #ends = new Set<() => void>()

  constructor(log: EventLog) {
    this.#log = log
  }

  get routes(): RequestHandler {
    return Router().get(STREAM, (req, res) => this.#stream(req, res))
  }

  /** Ends all streams, because a server does not close before its connections do. */
  close(): void {
    for (const end of [...this.#ends]) end()
  }

  #stream(req: Request, res: Response): void {
    if (this.#log.followers >= MAX_FOLLOWERS) return void res.status(503).set('Retry-After', '30').end()
    res.set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store, no-transform' })
    if (req.method === 'HEAD') return void res.end()
    const write = (text: string) => {
      res.write(text)
      if (res.writableLength > MAX_WAITING) end()
    }
    const leave = this.#log.follow((entry) => write(asEvent(entry)))
    const beats = setInterval(() => write(': still here\n\n'), BEAT_MS).unref()
    const stop = () => {
      clearInterval(beats)
      leave()
      this.#ends.delete(end)
    }
    const end = () => {
      stop()
      res.end()
    }
    this.#ends.add(end)
    // A visitor who leaves is no failure of the shop.
    res.once('close', stop).on('error', stop)
    write(`retry: 2000\n\n${this.#log.since(seen(req)).map(asEvent).join('')}`)
  }
}

/** The last event that the visitor has: the browser says so when it comes back, the page when it asks for the first time. */
function seen(req: Request): number {
  return Number(req.get('last-event-id') ?? req.query.after) || 0
}

function asEvent(entry: LogEntry): string {
  return `id: ${entry.id}\ndata: ${JSON.stringify(entry)}\n\n`
}
